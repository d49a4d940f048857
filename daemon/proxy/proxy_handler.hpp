#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "common/log.hpp"
#include "daemon/authz/audit_log.hpp"
#include "daemon/catalog/catalog.hpp"
#include "daemon/loop/workers.hpp"
#include "daemon/proxy/proxied_call.hpp"
#include "daemon/proxy/upstream_pool.hpp"
#include "daemon/server/handler.hpp"

namespace grantd::daemon {

/// What the proxy works with; all of it outlives the proxy.
struct ProxyParts {
  Loop& loop;
  Workers& workers;
  common::Entropy& entropy;
  common::Logger& log;
  CurrentCatalog& catalog;
  AuditLog& audit;
};

/// Sends callers' requests to APIs, with a token. Loop thread only. Coroutines it started may still be
/// suspended when it is destroyed; they must not be resumed then.
class ProxyHandler final : public ApiHandler {
 public:
  explicit ProxyHandler(ProxyParts parts);
  ~ProxyHandler() override;

  awaitable<void> handle(Exchange& exchange, std::string_view api, std::string_view target) override;

  /// Breaks off every request and closes every connection to an API; the coroutines then end by themselves.
  void shut_down();

 private:
  struct Memo;
  awaitable<void> handle_new(Exchange& exchange, std::string_view api, std::string_view target);
  awaitable<void> call(Exchange& exchange, std::shared_ptr<CatalogApi> api,
                       std::shared_ptr<UpstreamPool> pool, std::string_view head, GrantedRequest granted);
  std::shared_ptr<UpstreamPool> pool_for(const CatalogApi& api);
  void follow_catalog();

  ProxyParts parts_;
  ProxyMemory memory_;
  DpopNonces nonces_;
  std::weak_ptr<Catalog> followed_;
  std::uint64_t generation_ = 0;  // of what is followed
  std::map<std::string, std::shared_ptr<UpstreamPool>, std::less<>> pools_;
  std::vector<std::weak_ptr<UpstreamPool>> retired_;  // of earlier catalogs, as long as requests use them
};

}  // namespace grantd::daemon
