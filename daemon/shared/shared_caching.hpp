#pragma once

#include <memory>
#include <optional>
#include <string>

#include "daemon/cache/shared_cache_status.hpp"
#include "daemon/shared/redis_store.hpp"
#include "daemon/shared/shared_cache.hpp"
#include "daemon/shared/shared_fetcher.hpp"

namespace grantd::daemon {

/// Makes the shared cache that the configuration wants, and keeps it for as long as `[cache]` stays the same.
/// Loop thread only.
class SharedCaching {
 public:
  /// All of it outlives this.
  struct Parts {
    Loop& loop;
    Workers& workers;
    const common::Clock& clock;
    common::Entropy& entropy;
    common::Logger& log;
    Metrics& metrics;
  };
  explicit SharedCaching(Parts parts) : parts_(parts) {}

  void configure(const config::CacheSettings& settings);
  /// `server` itself where nothing is shared.
  std::shared_ptr<TokenFetcher> share(std::shared_ptr<TokenFetcher> server,
                                      const std::shared_ptr<const config::ClientSettings>& settings,
                                      const EndpointCredentials& credentials) const;
  /// Nothing where no shared cache is configured.
  std::optional<SharedCacheStatus> status() const;

 private:
  const Parts parts_;
  SharedMemory memory_;
  config::CacheSettings settings_{};
  std::shared_ptr<RedisStore> store_;  // null: nothing is shared
  std::shared_ptr<SharedCache> cache_;
};

}  // namespace grantd::daemon
