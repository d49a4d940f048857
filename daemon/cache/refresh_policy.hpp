#pragma once

#include <chrono>

#include "common/clock.hpp"
#include "daemon/oauth/token.hpp"

namespace grantd::daemon {

/// When a token obtained at `obtained` and good until `expires` should be renewed: `refresh_before_expiry`
/// ahead of its end, never before half of its life, delayed by up to a tenth of the lead so that daemons
/// started together drift apart. `jitter` is in [0, 1).
common::BootTime renewal_time(common::BootTime obtained, common::BootTime expires,
                              common::BootClock::duration refresh_before_expiry, double jitter);

/// The same for a token that an earlier process obtained: what fell due meanwhile is renewed over the time
/// from now on that the delay above would have taken, never all at once.
common::BootTime renewal_time_after_restart(common::BootTime now, const Token& token,
                                            common::BootClock::duration refresh_before_expiry, double jitter);

/// When to try again after the server gave the very same token once more: after half of the time it has left,
/// and never sooner than a second.
common::BootTime renewal_time_of_same_token(common::BootTime now, common::BootTime expires);

/// The least validity a caller gets without saying so: ten seconds or a tenth of the lifetime, whichever is
/// less.
common::BootClock::duration default_min_valid(common::BootTime obtained, common::BootTime expires);

}  // namespace grantd::daemon
