#pragma once

#include <memory>

#include "daemon/cache/token_fetcher.hpp"
#include "daemon/shared/shared_cache.hpp"
#include "daemon/shared/sharing_identity.hpp"

namespace grantd::daemon {

/// Stands between a definition's cache and its token endpoint: takes from other machines what they have, and
/// gives them what was fetched. Loop thread only.
class SharedFetcher final : public TokenFetcher {
 public:
  SharedFetcher(std::shared_ptr<SharedCache> cache, std::shared_ptr<TokenFetcher> server,
                std::shared_ptr<const config::ClientSettings> settings, EndpointCredentials credentials);

  void fetch(const Variant& variant, std::shared_ptr<const FetchWish> wish, Done done) override;
  void fetch_with_assertion(const Variant& variant, common::Secret assertion, Done done) override;
  bool credentials_changed() const override { return server_->credentials_changed(); }
  void drop(std::vector<DroppedToken> tokens, Dropped done) override;

 private:
  const std::shared_ptr<SharedCache> cache_;
  const std::shared_ptr<TokenFetcher> server_;
  const std::shared_ptr<const config::ClientSettings> settings_;
  const std::shared_ptr<const SharingIdentitySource> identity_;
};

}  // namespace grantd::daemon
