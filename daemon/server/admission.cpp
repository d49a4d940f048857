#include "daemon/server/admission.hpp"

namespace grantd::daemon {

using common::ErrorCode;
using common::fail;

common::Result<CatalogClient*> Admission::find(const Exchange& exchange, std::string_view name, Use use,
                                               common::BootTime now) {
  CatalogClient* const client = catalog_.now->client(name);
  if (!client) return fail(ErrorCode::unknown_client, "no client definition has this name");
  if (!client->access.admits(exchange.peer(), now)) {
    audit_.refused(exchange.peer(), {"client", name});
    return fail(
        ErrorCode::access_denied,
        "the definition admits neither the user, nor a group, nor the unit of this process; see allow_users, "
        "allow_groups and allow_units");
  }
  if (use == Use::token && !client->exposes_token) {
    audit_.refused(exchange.peer(), {"client", name});
    return fail(ErrorCode::access_denied,
                "the definition has expose_token = false: its token serves calls through the proxy only");
  }
  return client;
}

}  // namespace grantd::daemon
