#include <doctest/doctest.h>
#include <grp.h>
#include <sched.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <functional>
#include <numeric>

#include "common/unique_fd.hpp"
#include "daemon/authz/peer_identity.hpp"

using grantd::common::UniqueFd;
using grantd::daemon::PeerIdentity;

namespace {

std::array<UniqueFd, 2> socket_pair() {
  std::array<int, 2> ends{};
  REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) == 0);
  return {UniqueFd{ends[0]}, UniqueFd{ends[1]}};
}

// The exit status of a child process that does `work`.
int in_child(const std::function<int()>& work) {
  const pid_t child = ::fork();
  if (child == 0) ::_exit(work());
  int status = 0;
  ::waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

PeerIdentity identify_peer(int socket) {
  auto peer = grantd::daemon::identify_peer(socket, {});
  REQUIRE(peer.has_value());
  return *std::move(peer);
}

constexpr int not_permitted = 77;

}  // namespace

TEST_CASE("peer identity: process, user and group are the kernel's word") {
  const auto ends = socket_pair();
  const PeerIdentity peer = identify_peer(ends[0].get());
  CHECK(peer.pid == ::getpid());
  CHECK(peer.uid == ::geteuid());
  CHECK(peer.gid == ::getegid());
  std::vector<gid_t> groups(static_cast<std::size_t>(::getgroups(0, nullptr)));
  ::getgroups(static_cast<int>(groups.size()), groups.data());
  std::ranges::sort(groups);
  auto seen = peer.groups;
  std::ranges::sort(seen);
  CHECK(seen == groups);
}

TEST_CASE("peer identity: every supplementary group is seen, however many there are") {
  const int status = in_child([] {
    std::vector<gid_t> groups(3000);
    std::iota(groups.begin(), groups.end(), gid_t{10000});
    if (::setgroups(groups.size(), groups.data()) != 0) return not_permitted;
    const auto ends = socket_pair();
    return identify_peer(ends[0].get()).groups == groups ? 0 : 1;
  });
  if (status == not_permitted) {
    MESSAGE("needs root");
  } else {
    CHECK(status == 0);
  }
}

TEST_CASE("peer identity: what the caller becomes after connecting changes nothing") {
  const int status = in_child([] {
    const auto ends = socket_pair();
    if (::setgroups(0, nullptr) != 0 || ::setgid(4711) != 0 || ::setuid(4712) != 0) return not_permitted;
    return identify_peer(ends[0].get()).uid == 0 ? 0 : 1;
  });
  if (status == not_permitted) {
    MESSAGE("needs root");
  } else {
    CHECK(status == 0);
  }
}

TEST_CASE("peer identity: a process outside the daemon's process namespace still has its user") {
  const auto ends = socket_pair();
  const int status = in_child([&] {
    if (::unshare(CLONE_NEWPID) != 0) return not_permitted;
    return in_child([&] {
      const PeerIdentity peer = identify_peer(ends[0].get());
      return peer.pid == 0 && peer.uid == ::geteuid() ? 0 : 1;
    });
  });
  if (status == not_permitted) {
    MESSAGE("needs root");
  } else {
    CHECK(status == 0);
  }
}

TEST_CASE("peer identity: who the kernel does not identify is nobody") {
  const UniqueFd unconnected{::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)};
  const UniqueFd internet{::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
  for (const int socket : {-1, unconnected.get(), internet.get()}) {
    CAPTURE(socket);
    const PeerIdentity peer = identify_peer(socket);
    CHECK(peer.uid == static_cast<uid_t>(-1));
    CHECK(peer.gid == static_cast<gid_t>(-1));
    CHECK(peer.groups.empty());
  }
}
