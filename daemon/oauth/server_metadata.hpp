#pragma once

#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "config/settings.hpp"

namespace grantd::daemon {

/// What an authorization server says of itself, as far as token requests need it (RFC 8414 section 2).
struct ServerMetadata {
  config::Url token_endpoint;
  /// Where clients that present a certificate go (RFC 8705 section 5); the token endpoint where it names no
  /// other.
  config::Url mtls_token_endpoint;
  /// `token_endpoint_auth_methods_supported`; nothing where it does not say.
  std::optional<std::vector<std::string>> auth_methods{};
  bool operator==(const ServerMetadata&) const = default;
};

/// Which documents are believed.
struct MetadataRules {
  config::Url issuer;
  /// Hosts that its endpoints may have besides the issuer's, in lower case.
  std::vector<std::string> allow_endpoint_hosts{};
  bool allow_insecure_http = false;
  bool operator==(const MetadataRules&) const = default;
};

/// Where an issuer's document may stand, in the order in which they are asked for: RFC 8414 section 3.1, then
/// OpenID Connect Discovery section 4. Pure.
std::vector<config::Url> metadata_locations(const config::Url& issuer);

/// Error: a sentence that says what is wrong with the document and quotes nothing of it but host names. Pure.
std::expected<ServerMetadata, std::string> read_server_metadata(std::string_view json,
                                                                const MetadataRules& rules);

}  // namespace grantd::daemon
