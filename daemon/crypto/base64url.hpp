#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "common/secret.hpp"

namespace grantd::daemon {

/// RFC 4648 section 5, without padding.
std::string base64url_encode(std::span<const std::byte> bytes);

/// The bytes of unpadded base64url. Nothing where the text is not exactly what an encoder writes: padding, a
/// character outside the alphabet (line breaks too), an impossible length, or bits set in the last character
/// that belong to no byte.
std::optional<common::Secret> base64url_decode(std::string_view text);

/// RFC 4648 section 4, with padding: the form of Basic credentials (RFC 7617), hence of a secret.
common::Secret base64_encode(std::string_view bytes);

/// The bytes of padded base64, as strictly as base64url_decode.
std::optional<common::Secret> base64_decode(std::string_view text);

}  // namespace grantd::daemon
