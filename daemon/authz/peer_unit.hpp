#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <string_view>

#include "common/clock.hpp"

namespace grantd::daemon {

/// How a connection came.
struct Arrival {
  common::BootTime accepted{};
  bool was_queued = false;  // perhaps long before: when the daemon was not accepting
};

/// The systemd unit that the text of /proc/PID/cgroup speaks of: the outermost one of the system manager,
/// that is the first component after leading slices if it is a service or scope. What a user's own manager or
/// a container names lies further in. Reads v1, v2 and hybrid hierarchies. Empty: none.
std::string unit_in_cgroups(std::string_view cgroups);

/// The unit of the process that connected `socket`, which the kernel pins (SO_PEERPIDFD, Linux 6.5) as long
/// as the process lives. Where it cannot, as `unit_of_process`. `pid` and `uid` are the kernel's word about
/// the peer. Empty: none, gone, or not to be told; nothing: there is no descriptor left to find out with.
/// Blocks for no longer than reading /proc takes.
std::optional<std::string> unit_of_peer(int socket, pid_t pid, uid_t uid, const Arrival& arrival);

/// The same by the number of the process alone, which may have been given to another one meanwhile: it must
/// have the user and have started before the connection was accepted, and the connection must not have been
/// queued.
std::optional<std::string> unit_of_process(pid_t pid, uid_t uid, const Arrival& arrival,
                                           const std::string& proc = "/proc");

}  // namespace grantd::daemon
