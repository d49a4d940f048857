#pragma once

#include <memory>

#include "daemon/cache/token_cache.hpp"
#include "daemon/oauth/endpoint_client.hpp"

namespace grantd::daemon {

/// Ties a definition's cache to its token endpoint: the two know nothing of each other. Loop thread only.
class EndpointFetcher final : public TokenFetcher {
 public:
  /// `metrics` outlives the fetcher and its requests.
  EndpointFetcher(std::shared_ptr<const config::ClientSettings> settings, EndpointCredentials credentials,
                  EndpointParts parts, ClientMetrics& metrics)
      : client_(std::move(settings), std::move(credentials), parts,
                [&metrics](std::string_view result, std::chrono::nanoseconds duration) {
                  metrics.token_request(result, duration);
                }) {}

  void fetch(const Variant& variant, std::shared_ptr<const FetchWish> /*wish*/, Done done) override {
    client_.fetch(variant, std::move(done));
  }
  void fetch_with_assertion(const Variant& variant, common::Secret assertion, Done done) override {
    client_.fetch_with_assertion(variant, std::move(assertion), std::move(done));
  }
  bool credentials_changed() const override { return client_.credentials_changed(); }

 private:
  EndpointClient client_;
};

}  // namespace grantd::daemon
