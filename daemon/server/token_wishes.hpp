#pragma once

#include <string_view>

#include "daemon/catalog/token_access.hpp"

namespace grantd::daemon {

/// The wishes in a query string: `scope`, `resource` (repeatable), `audience` and, where `with_min_valid`,
/// `min_valid`; each other at most once, an empty one is absent. Error: `invalid_request`.
common::Result<CallerRequest> parse_token_query(std::string_view query, bool with_min_valid);

/// The same from a JSON body; an empty body wishes nothing. Error: `invalid_request`.
common::Result<CallerRequest> parse_token_json(std::string_view text);

}  // namespace grantd::daemon
