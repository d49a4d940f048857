#pragma once

#include <expected>
#include <string>
#include <vector>

#include "common/unique_fd.hpp"

namespace grantd::daemon {

/// The listening Unix sockets that the service manager passed (sd_listen_fds(3)), made non-blocking; empty
/// where there are none. To be called once: what the environment said of them is removed from it. The error
/// is a sentence about something that is no such socket.
std::expected<std::vector<common::UniqueFd>, std::string> take_passed_sockets();

}  // namespace grantd::daemon
