#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "common/error.hpp"

namespace grantd::daemon {

/// The scope tokens of a space-separated list (RFC 6749 section 3.3), sorted and without duplicates.
/// Error: `invalid_request` for a character that no scope may have.
common::Result<std::vector<std::string>> parse_scope(std::string_view text);

/// Resource indicators (RFC 8707 section 2: absolute URIs without a fragment), sorted and without duplicates.
/// Error: `invalid_request`.
common::Result<std::vector<std::string>> parse_resources(const std::vector<std::string>& resources);

/// Whether a token request itself defines this form parameter, so that `parameters` may not hold it.
bool is_reserved_parameter(std::string_view name);

}  // namespace grantd::daemon
