#pragma once

#include <string>

#include "common/entropy.hpp"
#include "daemon/server/admission.hpp"

namespace grantd::daemon {

/// `/v1/dpop/{client}`: a proof (RFC 9449) for a caller that sends the token itself. The key stays here. Loop
/// thread only; its parts outlive it.
class DpopHandler {
 public:
  DpopHandler(CurrentCatalog& catalog, common::TimerQueue& timers, common::Entropy& entropy, AuditLog& audit)
      : admission_(catalog, audit), timers_(timers), entropy_(entropy) {}

  awaitable<void> handle(Exchange& exchange, std::string client);

 private:
  common::Result<common::Secret> prove(const CatalogClient& client, std::string_view json);

  Admission admission_;
  common::TimerQueue& timers_;
  common::Entropy& entropy_;
};

}  // namespace grantd::daemon
