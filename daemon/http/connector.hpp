#pragma once

#include <expected>
#include <string>

#include "common/clock.hpp"
#include "common/unique_fd.hpp"

namespace grantd::daemon {

/// Resolves `host` (a name or a literal address, IPv6 without brackets) and connects to whichever of its
/// addresses answers first, trying the next one while the last is still silent. The socket is non-blocking.
/// Blocking; gives up `connect_timeout` after the name lookup's end and at `deadline`. The lookup itself
/// cannot be interrupted. For a worker's thread. Error: a sentence that names host and port.
std::expected<common::UniqueFd, std::string> connect_to(const std::string& host, std::uint16_t port,
                                                        const common::Clock& clock,
                                                        common::BootClock::duration connect_timeout,
                                                        common::BootTime deadline);

/// Milliseconds for poll(2) until `deadline`, rounded up; 0 once it has passed.
int poll_timeout(const common::Clock& clock, common::BootTime deadline);

}  // namespace grantd::daemon
