#pragma once

#include <string_view>

#include "common/secret.hpp"
#include "daemon/oauth/form_body.hpp"

namespace grantd::daemon {

/// `client_secret_post`: id and secret as members of the form (RFC 6749 section 2.3.1).
void add_client_secret_post(FormBody& form, std::string_view client_id, const common::Secret& secret);

}  // namespace grantd::daemon
