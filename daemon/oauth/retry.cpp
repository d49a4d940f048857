// Full jitter spreads the retries of many daemons that failed together over the whole interval, rather than
// around its end.
#include "daemon/oauth/retry.hpp"

#include <algorithm>

#include "daemon/oauth/http_date.hpp"

namespace grantd::daemon {

namespace {

using std::chrono::seconds;
constexpr common::BootClock::duration first_backoff = std::chrono::milliseconds{500};

}  // namespace

std::optional<seconds> parse_retry_after(std::string_view value, std::string_view date,
                                         common::WallTime now) {
  if (value.empty()) return std::nullopt;
  if (value.find_first_not_of("0123456789") == std::string_view::npos) {
    seconds wait{0};
    for (const char digit : value) wait = std::min(wait * 10 + seconds{digit - '0'}, longest_retry_after);
    return wait;
  }
  const auto until = parse_http_date(value, now);
  if (!until) return std::nullopt;
  const auto from = parse_http_date(date, now).value_or(now);
  return std::clamp(std::chrono::ceil<seconds>(*until - from), seconds{0}, longest_retry_after);
}

std::optional<common::BootClock::duration> retry_delay(int attempts, std::optional<seconds> retry_after,
                                                       common::BootClock::duration left, double jitter) {
  if (attempts >= max_attempts) return std::nullopt;
  const auto bound = first_backoff * (1 << (std::max(attempts, 1) - 1));
  auto delay = std::chrono::duration_cast<common::BootClock::duration>(bound * jitter);
  if (retry_after) delay = std::max<common::BootClock::duration>(delay, *retry_after);
  if (delay >= left) return std::nullopt;
  return delay;
}

}  // namespace grantd::daemon
