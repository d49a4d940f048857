// RFC 7521 section 4.2 makes client_id optional beside an assertion, but servers look the client up by it
// before they read the assertion, and one that does not need it checks that the two agree.
#include "daemon/oauth/client_assertion.hpp"

namespace grantd::daemon {

void add_client_assertion(FormBody& form, std::string_view client_id, const common::Secret& assertion) {
  form.add("client_id", client_id);
  form.add("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer");
  form.add("client_assertion", assertion.reveal());
}

}  // namespace grantd::daemon
