#pragma once

#include <string>
#include <string_view>

#include "common/error.hpp"

namespace grantd::daemon {

/// Whether a path, read as a lenient server might read it, climbs: `%2e`, `%2f` and `%5c` decoded once, split
/// at `/` and
/// `\`, cut at `;`, it has a segment that is `.` or `..`.
bool has_dot_segment(std::string_view path);

/// Appends the request target for an API: the base URL's path (without a trailing slash), then `target` (path
/// and query), every byte unchanged. Error: `invalid_request` for a path that climbs or does not begin with a
/// slash.
common::Result<void> append_api_target(std::string& out, std::string_view base_path, std::string_view target);

}  // namespace grantd::daemon
