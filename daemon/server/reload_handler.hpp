#pragma once

#include <functional>

#include "daemon/authz/audit_log.hpp"
#include "daemon/catalog/catalog.hpp"
#include "daemon/server/handler.hpp"
#include "daemon/server/router.hpp"

namespace grantd::daemon {

/// `/v1/reload`, for `admin_users`. Loop thread only; its parts outlive it.
class ReloadHandler {
 public:
  using Reload = std::function<awaitable<ReloadResult>()>;
  ReloadHandler(CurrentCatalog& catalog, common::TimerQueue& timers, AuditLog& audit, Reload reload)
      : catalog_(catalog), timers_(timers), audit_(audit), reload_(std::move(reload)) {}

  awaitable<void> handle(Exchange& exchange);

 private:
  CurrentCatalog& catalog_;
  common::TimerQueue& timers_;
  AuditLog& audit_;
  Reload reload_;
};

}  // namespace grantd::daemon
