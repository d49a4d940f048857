#pragma once

#include <cstddef>
#include <expected>
#include <string>
#include <string_view>

#include "common/secret.hpp"

namespace grantd::daemon {

inline constexpr std::size_t largest_secret = std::size_t{64} << 10;

/// The secret that `content` of a file or variable holds: all of it but one trailing newline (LF or CRLF).
/// Error: the end of a sentence, "is empty" or "is larger than 64 KiB".
std::expected<common::Secret, std::string> secret_from(std::string_view content);

}  // namespace grantd::daemon
