#pragma once

#include <expected>
#include <optional>
#include <string>
#include <string_view>

#include "daemon/crypto/openssl.hpp"

namespace grantd::daemon {

/// What a client assertion tells of a certificate (RFC 7515 section 4.1.7 and 4.1.8), both in base64url.
struct CertificateThumbprints {
  std::string sha1;    // x5t
  std::string sha256;  // x5t#S256
};

/// Of the first certificate in the PEM text, which must be that of `key`. The error ends a sentence that
/// begins with what the text was read from.
std::expected<CertificateThumbprints, std::string> thumbprints_of(std::string_view pem, const EVP_PKEY* key);

/// `x5t#S256` of the first certificate in the PEM text, whosever it is; nothing where there is none.
std::optional<std::string> certificate_thumbprint(std::string_view pem);

}  // namespace grantd::daemon
