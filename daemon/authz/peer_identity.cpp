// The kernel noted who connected when it happened; nothing the peer does afterwards changes it.
#include "daemon/authz/peer_identity.hpp"

#include <sys/socket.h>

#include <cerrno>
#include <utility>

namespace grantd::daemon {

namespace {

std::vector<gid_t> supplementary_groups(int socket) {
  std::vector<gid_t> groups(64);
  while (true) {
    auto size = static_cast<socklen_t>(groups.size() * sizeof(gid_t));
    const int got = ::getsockopt(socket, SOL_SOCKET, SO_PEERGROUPS, groups.data(), &size);
    const std::size_t count = size / sizeof(gid_t);
    if (got == 0) {
      groups.resize(count);
      return groups;
    }
    if (errno != ERANGE || count <= groups.size()) return {};
    groups.resize(count);
  }
}

}  // namespace

std::optional<PeerIdentity> identify_peer(int socket, const Arrival& arrival) {
  ucred credentials{};
  socklen_t size = sizeof credentials;
  if (::getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &credentials, &size) != 0) return PeerIdentity{};
  auto unit = unit_of_peer(socket, credentials.pid, credentials.uid, arrival);
  if (!unit) return std::nullopt;
  return PeerIdentity{.pid = credentials.pid,
                      .uid = credentials.uid,
                      .gid = credentials.gid,
                      .groups = supplementary_groups(socket),
                      .unit = std::move(*unit)};
}

}  // namespace grantd::daemon
