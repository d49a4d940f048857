#pragma once

#include <functional>
#include <optional>
#include <string>

#include "daemon/authz/audit_log.hpp"
#include "daemon/cache/shared_cache_status.hpp"
#include "daemon/catalog/catalog.hpp"
#include "daemon/server/handler.hpp"

namespace grantd::daemon {

/// `/v1/clients` and `/v1/clients/{client}`: the state of the definitions that the caller may use; all of
/// them for `admin_users`. Loop thread only; its parts outlive it.
class ClientsHandler {
 public:
  /// Nothing where no shared cache is configured.
  using SharedCache = std::function<std::optional<SharedCacheStatus>()>;
  ClientsHandler(CurrentCatalog& catalog, common::TimerQueue& timers, AuditLog& audit,
                 SharedCache shared_cache)
      : catalog_(catalog), timers_(timers), audit_(audit), shared_cache_(std::move(shared_cache)) {}

  awaitable<void> list(Exchange& exchange);
  awaitable<void> show(Exchange& exchange, std::string_view name);

 private:
  CurrentCatalog& catalog_;
  common::TimerQueue& timers_;
  AuditLog& audit_;
  SharedCache shared_cache_;
};

}  // namespace grantd::daemon
