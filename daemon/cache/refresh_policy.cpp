// Pure arithmetic, apart from the state machine that uses it, so that every boundary can be tested as a
// number.
#include "daemon/cache/refresh_policy.hpp"

#include <algorithm>

namespace grantd::daemon {

using common::BootClock;
using common::BootTime;

namespace {

// Up to a tenth of the lead.
BootClock::duration drift(BootClock::duration lead, double jitter) {
  const std::chrono::duration<double, std::nano> delay{0.1 * jitter * static_cast<double>(lead.count())};
  return std::chrono::duration_cast<BootClock::duration>(delay);
}

}  // namespace

BootTime renewal_time(BootTime obtained, BootTime expires, BootClock::duration refresh_before_expiry,
                      double jitter) {
  const auto lead = std::min(refresh_before_expiry, (expires - obtained) / 2);
  return expires - lead + drift(lead, jitter);
}

BootTime renewal_time_after_restart(BootTime now, const Token& token,
                                    BootClock::duration refresh_before_expiry, double jitter) {
  const auto lead =
      std::min({refresh_before_expiry, (token.expires - token.obtained) / 2, token.expires - now});
  return std::max(renewal_time(token.obtained, token.expires, refresh_before_expiry, jitter),
                  now + drift(lead, jitter));
}

BootTime renewal_time_of_same_token(BootTime now, BootTime expires) {
  return now + std::max<BootClock::duration>((expires - now) / 2, std::chrono::seconds{1});
}

BootClock::duration default_min_valid(BootTime obtained, BootTime expires) {
  return std::min<BootClock::duration>(std::chrono::seconds{10}, (expires - obtained) / 10);
}

}  // namespace grantd::daemon
