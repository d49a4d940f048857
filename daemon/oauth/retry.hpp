#pragma once

#include <chrono>
#include <optional>
#include <string_view>

#include "common/clock.hpp"

namespace grantd::daemon {

/// Requests in all for one token, whatever fails.
inline constexpr int max_attempts = 3;
/// No server holds a client off for longer.
inline constexpr std::chrono::seconds longest_retry_after = std::chrono::minutes{5};

/// `Retry-After` (RFC 9110 section 10.2.3), seconds or a date, within 0 s and five minutes. A date is
/// compared with the response's own `Date` where there is one, so that the two clocks need not agree. Pure.
std::optional<std::chrono::seconds> parse_retry_after(std::string_view value, std::string_view date,
                                                      common::WallTime now);

/// How long to wait before asking again after `attempts` requests failed; nothing: give up. Exponential
/// backoff with full jitter (`jitter` in [0, 1)), never less than what the server asked for, and never so
/// long that `left` of the deadline would pass. Pure.
std::optional<common::BootClock::duration> retry_delay(int attempts,
                                                       std::optional<std::chrono::seconds> retry_after,
                                                       common::BootClock::duration left, double jitter);

}  // namespace grantd::daemon
