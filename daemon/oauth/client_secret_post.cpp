// For servers that do not read `Authorization`. RFC 6749 advises against it, because bodies are logged more
// often than that header is.
#include "daemon/oauth/client_secret_post.hpp"

namespace grantd::daemon {

void add_client_secret_post(FormBody& form, std::string_view client_id, const common::Secret& secret) {
  form.add("client_id", client_id);
  form.add("client_secret", secret.reveal());
}

}  // namespace grantd::daemon
