#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace grantd::cli {

/// The daemon's list of clients as an aligned table with a heading, one line a definition, and below it a
/// line about the shared cache where there is one. Error "daemon_unreachable" where `json` is no such list.
std::string status_table(std::string_view json);

/// Seconds for people: "45s", "12m 5s", "3h 20m", "2d 4h".
std::string spoken_duration(std::int64_t seconds);

}  // namespace grantd::cli
