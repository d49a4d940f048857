#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "daemon/authz/audit_log.hpp"
#include "daemon/catalog/catalog.hpp"
#include "daemon/server/handler.hpp"

namespace grantd::daemon {

/// One thing on the way to a token, as it was found.
struct DoctorStep {
  std::string_view step;
  bool ok = true;
  std::string detail{};
  std::string advice{};  // what to change, empty: nothing
};

/// Finds out why a definition gets no token, or that it does. The seam between server and application. Loop
/// thread only.
class Doctor {
 public:
  virtual ~Doctor() = default;
  /// False: nobody listens any more.
  using Tell = std::function<awaitable<bool>(DoctorStep)>;
  /// Walks the way anew, with the definition's own credentials and past its cache, and tells each step when
  /// it is done, up to the first that keeps it from going on.
  virtual awaitable<void> examine(std::shared_ptr<const config::ClientSettings> client, Tell tell) = 0;
};

/// `/v1/clients/{client}/doctor`. Loop thread only; its parts outlive it.
class DoctorHandler {
 public:
  DoctorHandler(CurrentCatalog& catalog, common::TimerQueue& timers, AuditLog& audit, Doctor& doctor)
      : catalog_(catalog), timers_(timers), audit_(audit), doctor_(doctor) {}

  awaitable<void> handle(Exchange& exchange, std::string client);

 private:
  CurrentCatalog& catalog_;
  common::TimerQueue& timers_;
  AuditLog& audit_;
  Doctor& doctor_;
};

}  // namespace grantd::daemon
