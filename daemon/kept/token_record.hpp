#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "common/secret.hpp"
#include "daemon/cache/token_keeper.hpp"

namespace grantd::daemon {

/// What tells one definition's tokens from another's: endpoint, client id, way of proving itself; and the
/// credential. As digests, for comparison alone.
struct DefinitionFingerprint {
  std::string definition{};
  std::string credential{};  // empty: cannot be read now

  /// Whether a token of the one is a token of the other. A credential that cannot be read takes no valid
  /// token away.
  bool fits(const DefinitionFingerprint& other) const {
    return definition == other.definition &&
           (credential.empty() || other.credential.empty() || credential == other.credential);
  }
};

/// What is kept, of which each kind fills in its part.
struct TokenRecord {
  enum class Kind : std::uint32_t { token = 1, binding = 2, dpop_key = 3, page = 4 };

  Kind kind = Kind::token;
  std::string client{};
  DefinitionFingerprint fingerprint{};
  // token and page
  Variant variant{};
  // token
  common::Secret secret{};  // the access token; of a dpop_key the private key in PEM
  TokenType type = TokenType::bearer;
  std::string scope{};
  common::BootTime obtained{};
  common::WallTime expires_wall{};
  // token, binding and page
  std::string version{};
  // token and binding
  common::BootTime expires{};
  std::string access_token_hash{};  // `ath`
  // all three; of a token empty where it is bound to no key
  std::string key_thumbprint{};  // `jkt`
  // dpop_key
  std::string algorithm{};
  // page
  std::string access{};  // the rules under which it was given away, as a digest
  std::string name{};    // under which its memory is held
};

/// As bytes for KeptMemory: each value with its length before it.
common::Secret encode(const TokenRecord& record);
/// Nothing where the bytes are no such record.
std::optional<TokenRecord> decode_token_record(std::uint32_t kind, std::string_view bytes);

}  // namespace grantd::daemon
