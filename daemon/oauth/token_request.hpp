#pragma once

#include <string>

#include "config/settings.hpp"
#include "daemon/http/message.hpp"
#include "daemon/oauth/form_body.hpp"
#include "daemon/oauth/token.hpp"

namespace grantd::daemon {

/// The variant's scope as it stands in requests: its members with a space between them.
std::string scope_text(const Variant& variant);

/// The form of a client credentials grant (RFC 6749 section 4.4.2) without the client's proof. Pure.
FormBody token_form(const Variant& variant);

/// The request with a form that is complete, the definition's fixed headers, and the value of
/// `Authorization`, empty for none. Pure.
HttpRequest token_request(const config::Url& endpoint, const HttpHeaders& headers, FormBody form,
                          common::Secret authorization);

}  // namespace grantd::daemon
