#pragma once

#include <string>
#include <string_view>

#include "common/secret.hpp"
#include "daemon/oauth/client_authentication.hpp"

namespace grantd::daemon {

/// How long a client assertion is good for after it was made: servers refuse those of more than an hour, and
/// their clocks differ by minutes.
inline constexpr std::chrono::seconds assertion_lifetime = std::chrono::minutes{5};

/// The claims of a client assertion (RFC 7523 section 3, OpenID Connect Core section 9) as a JSON text, with
/// a `jti` that no other one has.
std::string assertion_claims(std::string_view client_id, const ProofOccasion& occasion);

/// Puts a JWT into the form in place of a secret: `client_assertion` with the type of RFC 7523 section 2.2,
/// and `client_id`.
ClientProof send_client_assertion(FormBody& form, std::string_view client_id, common::Secret assertion);

}  // namespace grantd::daemon
