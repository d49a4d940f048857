#pragma once

#include <string>

#include "config/settings.hpp"
#include "daemon/http/message.hpp"
#include "daemon/oauth/token.hpp"

namespace grantd::daemon {

/// The variant's scope as it stands in requests: its members with a space between them.
std::string scope_text(const Variant& variant);

/// A request of the client credentials grant (RFC 6749 section 4.4.2) with the client's secret, in the header
/// or in the form as the definition says, never in both. Pure.
HttpRequest token_request(const config::ClientSettings& client, const Variant& variant,
                          const common::Secret& secret);

/// The same with a caller's assertion as the client's proof (RFC 7523 section 2.2); the secret stays out of
/// it.
HttpRequest token_request_with_assertion(const config::ClientSettings& client, const Variant& variant,
                                         const common::Secret& assertion);

}  // namespace grantd::daemon
