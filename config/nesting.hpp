#pragma once

#include <cstddef>
#include <optional>
#include <string_view>

namespace grantd::config {

struct TextPosition {
  std::size_t line = 1;
  std::size_t column = 1;
};

/// The deepest a configuration may nest: brackets within brackets, and parts of one dotted key.
inline constexpr std::size_t max_nesting = 16;

/// Where a TOML text nests deeper than `max_nesting`; nothing where it does not. Exact for valid TOML and for
/// the valid beginning of any other text.
std::optional<TextPosition> find_deep_nesting(std::string_view toml);

}  // namespace grantd::config
