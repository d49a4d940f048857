#pragma once

#include <memory>
#include <set>
#include <string>
#include <string_view>

#include "common/entropy.hpp"
#include "common/log.hpp"
#include "common/timer_queue.hpp"
#include "daemon/crypto/sealing_keys.hpp"
#include "daemon/metrics/metrics.hpp"
#include "daemon/oauth/kept_credential.hpp"
#include "daemon/secrets/secret_source.hpp"
#include "daemon/shared/dropped_variants.hpp"
#include "daemon/shared/refused_versions.hpp"
#include "daemon/shared/shared_store.hpp"

namespace grantd::daemon {

class SharedEviction;
class SharedFlight;

/// What outlives any one fetch: those under way, what is still to be deleted, and what must not come back.
struct SharedMemory {
  std::set<std::shared_ptr<SharedFlight>> under_way{};
  std::set<std::shared_ptr<SharedEviction>> evictions{};
  RefusedVersions refused{};
  DroppedVariants dropped{};
};

/// What the shared cache works with; all of it outlives the cache.
struct SharedParts {
  common::TimerQueue& timers;
  common::Entropy& entropy;
  common::Logger& log;
  SharedCacheMetrics& metrics;
  SharedMemory& memory;
};

/// One `[cache]`: a store, the keys of its entries, and what is wrong with them. Loop thread only.
class SharedCache {
 public:
  SharedCache(std::string prefix, std::shared_ptr<SharedStore> store, std::shared_ptr<SecretSource> keys,
              SharedParts parts);

  /// As they are now; null: there are none that can be used, and nothing is shared.
  std::shared_ptr<const SealingKeys> keys();
  /// Whether the last look at them found any; else `key_error` says why not.
  bool has_keys() const { return key_error_.empty(); }
  const std::string& key_error() const { return key_error_; }

  const std::string& prefix() const { return prefix_; }
  SharedStore& store() const { return *store_; }
  const SharedParts& parts() const { return parts_; }
  RefusedVersions& refused() const { return parts_.memory.refused; }
  DroppedVariants& dropped() const { return parts_.memory.dropped; }

  /// The server itself gave this token once more.
  void forgive(const std::string& version);
  /// Another one takes its place: what is under way ends with it, but nothing more is deleted.
  void retire() { retired_ = true; }
  bool is_retired() const { return retired_; }

  /// An entry that is none: counted, and logged once for each name and reason.
  void report(std::string_view client, const std::string& name, std::string_view reason);

 private:
  const std::string prefix_;
  const std::shared_ptr<SharedStore> store_;
  const std::shared_ptr<SecretSource> key_source_;
  const SharedParts parts_;
  KeptCredential<std::shared_ptr<const SealingKeys>> keys_;
  std::string key_error_;
  bool retired_ = false;
  std::set<std::string> reported_;
};

}  // namespace grantd::daemon
