#pragma once

#include <expected>
#include <string>
#include <string_view>
#include <vector>

#include "common/secret.hpp"

namespace grantd::daemon {

/// One key of the shared cache, taken apart: what names is of no help in opening.
struct SealingKey {
  common::Secret name_key;
  common::Secret seal_key;
};

/// The keys of the shared cache, at least one: the first names and seals, all find and open. Immutable.
using SealingKeys = std::vector<SealingKey>;

/// Lines of 32 random bytes in base64, at most 16, each once; empty lines do not count. The error ends a
/// sentence that begins with what the text was read from, and never holds a part of it.
std::expected<SealingKeys, std::string> parse_sealing_keys(std::string_view text);

}  // namespace grantd::daemon
