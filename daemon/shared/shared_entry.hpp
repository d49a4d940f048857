#pragma once

#include <chrono>
#include <expected>
#include <optional>
#include <string>
#include <string_view>

#include "common/clock.hpp"
#include "common/entropy.hpp"
#include "common/secret.hpp"
#include "daemon/crypto/sealing_keys.hpp"
#include "daemon/oauth/token.hpp"

namespace grantd::daemon {

/// One token as machines share it.
struct SharedEntry {
  /// When it was asked for, by its finder's wall clock.
  common::WallTime issued{};
  std::chrono::milliseconds lifetime{0};
  TokenType type = TokenType::bearer;
  common::Secret access_token{};
  std::string scope{};
};

/// Sealed: a version byte, nonce, ciphertext and tag; version and name are bound to it. docs/shared-cache.md
/// has the layout. Nothing where it would be larger than `largest_entry`.
inline constexpr std::size_t largest_entry = std::size_t{64} << 10;
std::optional<std::string> seal_entry(const SharedEntry& entry, const SealingKey& key, std::string_view name,
                                      common::Entropy& entropy);

/// The error is one of the `reason`s of metrics and log lines: "version", "seal", "form".
std::expected<SharedEntry, std::string_view> open_entry(std::string_view sealed, const SealingKey& key,
                                                        std::string_view name);

/// What is sealed. Decoding is strict: numbers within what a token response may say, a token of printable
/// ASCII, nothing behind the end.
common::Secret encode_entry(const SharedEntry& entry);
std::optional<SharedEntry> decode_entry(std::string_view plain);

}  // namespace grantd::daemon
