#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <vector>

#include "daemon/authz/peer_unit.hpp"

namespace grantd::daemon {

/// Who opened a local connection: the kernel's word at connection time, never the caller's.
struct PeerIdentity {
  pid_t pid = 0;
  uid_t uid = static_cast<uid_t>(-1);
  gid_t gid = static_cast<gid_t>(-1);
  std::vector<gid_t> groups{};  // supplementary
  std::string unit{};           // of systemd's system manager, empty: none
};

/// Reads SO_PEERCRED and SO_PEERGROUPS of a connected Unix socket, and the unit of the process. A peer the
/// kernel does not identify gets uid and gid -1, which match nothing. Nothing: the process has no descriptor
/// left to find out with, so that the caller is not to be served.
std::optional<PeerIdentity> identify_peer(int socket, const Arrival& arrival);

}  // namespace grantd::daemon
