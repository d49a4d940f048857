#pragma once

#include <expected>
#include <string>
#include <string_view>

#include "daemon/crypto/openssl.hpp"

namespace grantd::daemon {

/// A private key out of a JWK (RFC 7517, RFC 7518 section 6, RFC 8037).
struct PrivateJwk {
  PrivateKey key;
  std::string id;  // `kid`, empty: none
};

/// Reads a private RSA, EC or OKP key. A public half that does not belong to the private one is an error. The
/// error ends a sentence that begins with what the text was read from, and never holds a part of it.
std::expected<PrivateJwk, std::string> parse_private_jwk(std::string_view text);

/// The public half of the key with the members that RFC 7638 section 3.2 requires and no other, in its order.
std::string public_jwk(const EVP_PKEY* key);

}  // namespace grantd::daemon
