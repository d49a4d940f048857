#pragma once

#include <memory>
#include <string_view>

#include "daemon/authz/audit_log.hpp"
#include "daemon/catalog/catalog.hpp"
#include "daemon/server/handler.hpp"

namespace grantd::daemon {

/// What a caller wants of a definition.
enum class Use {
  definition,  // that something is done about it
  token,       // its token, or a proof for one: `expose_token` has a say
};

/// Lets callers through to definitions. Loop thread only; its parts outlive it.
class Admission {
 public:
  Admission(CurrentCatalog& catalog, AuditLog& audit) : catalog_(catalog), audit_(audit) {}

  /// The definition, if there is one and the caller may have that of it: the catalog's, so that whoever waits
  /// takes a share of it. Errors: `unknown_client`, `access_denied`, which is logged.
  common::Result<CatalogClient*> find(const Exchange& exchange, std::string_view name, Use use,
                                      common::BootTime now);

 private:
  CurrentCatalog& catalog_;
  AuditLog& audit_;
};

}  // namespace grantd::daemon
