#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace grantd::config {

/// How many characters must be inserted, dropped, replaced or swapped with their neighbour to make `b` of
/// `a`; case does not count, and `-` is as good as `_`.
std::size_t edit_distance(std::string_view a, std::string_view b);

/// The known name that was probably meant, nothing where none is near.
std::optional<std::string_view> nearest(std::string_view name, std::span<const std::string_view> known);

/// `; did you mean "..."?`, or nothing.
std::string did_you_mean(std::string_view name, std::span<const std::string_view> known);

}  // namespace grantd::config
