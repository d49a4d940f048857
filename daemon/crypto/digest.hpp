#pragma once

#include <array>
#include <cstddef>
#include <initializer_list>
#include <string_view>

namespace grantd::daemon {

using Sha256 = std::array<std::byte, 32>;

/// SHA-256 (FIPS 180-4). `bytes` may be secret: no copy of them stays behind. Throws std::runtime_error where
/// this machine's OpenSSL has no SHA-256.
Sha256 sha256(std::string_view bytes);
/// Of all parts, one after the other.
Sha256 sha256(std::initializer_list<std::string_view> parts);

}  // namespace grantd::daemon
