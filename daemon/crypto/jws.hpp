#pragma once

#include <expected>
#include <memory>
#include <string>
#include <string_view>

#include "common/secret.hpp"
#include "daemon/crypto/signing_key.hpp"

namespace grantd::daemon {

/// A JWS in compact form (RFC 7515 section 7.1) by a private key. `header` and `payload` are JSON texts. It
/// proves who signed it to whoever sees it first, hence a secret.
common::Secret signed_jws(std::string_view header, std::string_view payload, const SigningKey& key,
                          config::SigningAlgorithm algorithm);

/// The same with an HMAC by a shared secret.
common::Secret signed_jws(std::string_view header, std::string_view payload, const common::Secret& secret,
                          config::SigningAlgorithm algorithm);

}  // namespace grantd::daemon
