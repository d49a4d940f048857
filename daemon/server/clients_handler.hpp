#pragma once

#include <string>

#include "daemon/authz/audit_log.hpp"
#include "daemon/catalog/catalog.hpp"
#include "daemon/server/handler.hpp"

namespace grantd::daemon {

/// `/v1/clients` and `/v1/clients/{client}`: the state of the definitions that the caller may use; all of
/// them for `admin_users`. Loop thread only; its parts outlive it.
class ClientsHandler {
 public:
  ClientsHandler(CurrentCatalog& catalog, common::TimerQueue& timers, AuditLog& audit)
      : catalog_(catalog), timers_(timers), audit_(audit) {}

  awaitable<void> list(Exchange& exchange);
  awaitable<void> show(Exchange& exchange, std::string_view name);

 private:
  CurrentCatalog& catalog_;
  common::TimerQueue& timers_;
  AuditLog& audit_;
};

}  // namespace grantd::daemon
