// Pure arithmetic, apart from the state machine that uses it, so that every boundary can be tested as a
// number.
#include "daemon/cache/refresh_policy.hpp"

#include <algorithm>

namespace grantd::daemon {

using common::BootClock;
using common::BootTime;

BootTime renewal_time(BootTime obtained, BootTime expires, BootClock::duration refresh_before_expiry,
                      double jitter) {
  const auto lead = std::min(refresh_before_expiry, (expires - obtained) / 2);
  const auto delay =
      std::chrono::duration<double, std::nano>(0.1 * jitter * static_cast<double>(lead.count()));
  return expires - lead + std::chrono::duration_cast<BootClock::duration>(delay);
}

BootTime renewal_time_of_same_token(BootTime now, BootTime expires) {
  return now + std::max<BootClock::duration>((expires - now) / 2, std::chrono::seconds{1});
}

BootClock::duration default_min_valid(BootTime obtained, BootTime expires) {
  return std::min<BootClock::duration>(std::chrono::seconds{10}, (expires - obtained) / 10);
}

}  // namespace grantd::daemon
