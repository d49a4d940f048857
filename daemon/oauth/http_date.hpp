#pragma once

#include <optional>
#include <string_view>

#include "common/clock.hpp"

namespace grantd::daemon {

/// An HTTP-date in any of the three formats that RFC 9110 section 5.6.7 has recipients accept. `now` decides
/// the century of a year of two digits. Nothing where it is none.
std::optional<common::WallTime> parse_http_date(std::string_view text, common::WallTime now);

}  // namespace grantd::daemon
