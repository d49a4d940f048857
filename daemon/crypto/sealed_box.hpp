#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "common/secret.hpp"

namespace grantd::daemon {

/// AES-256-GCM (NIST SP 800-38D) over whole messages. Keys have 32 bytes, nonces 12, and no nonce may be used
/// twice with one key. Each throws std::runtime_error where this machine's OpenSSL does not offer it.
inline constexpr std::size_t seal_key_size = 32;
inline constexpr std::size_t seal_nonce_size = 12;
inline constexpr std::size_t seal_tag_size = 16;

/// nonce | ciphertext | tag. `associated` is not in it, but has to be the same for opening.
std::string seal(const common::Secret& key, std::string_view nonce, std::string_view associated,
                 std::string_view plain);

/// What was sealed; nothing where it was with another key, for something else, or has been changed.
std::optional<common::Secret> open_sealed(const common::Secret& key, std::string_view associated,
                                          std::string_view sealed);

/// A key of 32 bytes for one purpose out of a secret of full entropy: HKDF with SHA-256 (RFC 5869), without
/// salt.
common::Secret derive_key(const common::Secret& secret, std::string_view purpose);

}  // namespace grantd::daemon
