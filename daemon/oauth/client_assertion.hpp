#pragma once

#include <string_view>

#include "common/secret.hpp"
#include "daemon/oauth/form_body.hpp"

namespace grantd::daemon {

/// A JWT in place of a secret: `client_assertion` with the type of RFC 7523 section 2.2, and `client_id`.
void add_client_assertion(FormBody& form, std::string_view client_id, const common::Secret& assertion);

}  // namespace grantd::daemon
