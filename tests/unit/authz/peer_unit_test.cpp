// Which systemd unit a process belongs to, and when that is not to be told.
#include <doctest/doctest.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <filesystem>
#include <fstream>

#include "common/clock.hpp"
#include "common/unique_fd.hpp"
#include "daemon/authz/peer_identity.hpp"
#include "daemon/authz/peer_unit.hpp"

using grantd::common::UniqueFd;
using grantd::daemon::Arrival;
using grantd::daemon::unit_in_cgroups;
using grantd::daemon::unit_of_peer;
using grantd::daemon::unit_of_process;

TEST_CASE("unit of a cgroup: the service or scope below the system manager's slices") {
  CHECK(unit_in_cgroups("0::/system.slice/billing.service\n") == "billing.service");
  CHECK(unit_in_cgroups("0::/system.slice/system-getty.slice/getty@tty1.service\n") == "getty@tty1.service");
  CHECK(unit_in_cgroups("0::/init.scope\n") == "init.scope");
  CHECK(unit_in_cgroups("0::/a.slice/a-b.slice/x.service/sub/deep.service\n") == "x.service");
  CHECK(unit_in_cgroups("0::/system.slice/_cgroup.service") == "cgroup.service");
}

TEST_CASE("unit of a cgroup: what a user's manager or a container names counts as the unit around it") {
  CHECK(unit_in_cgroups("0::/user.slice/user-1000.slice/user@1000.service/app.slice/billing.service\n") ==
        "user@1000.service");
  CHECK(unit_in_cgroups("0::/user.slice/user-1000.slice/session-3.scope\n") == "session-3.scope");
  CHECK(unit_in_cgroups(
            "0::/machine.slice/systemd-nspawn@web.service/payload/system.slice/billing.service\n") ==
        "systemd-nspawn@web.service");
  CHECK(unit_in_cgroups("0::/docker/0123/system.slice/billing.service\n").empty());
}

TEST_CASE("unit of a cgroup: hierarchies of v1, of v2 and both") {
  constexpr std::string_view v1 =
      "12:pids:/system.slice/other.service\n1:name=systemd:/system.slice/billing.service\n0::/\n";
  CHECK(unit_in_cgroups(v1) == "billing.service");
  CHECK(unit_in_cgroups(
            "3:cpu,cpuacct:/\n1:name=systemd:/system.slice/a.service\n0::/system.slice/a.service\n") ==
        "a.service");
  CHECK(unit_in_cgroups("1:name=systemd:/\n0::/system.slice/billing.service\n") == "billing.service");
  CHECK(unit_in_cgroups("5:memory:/system.slice/billing.service\n").empty());
}

TEST_CASE("unit of a cgroup: anything else is none") {
  for (const std::string_view text :
       {"", "\n", "0::", "0::/", "nonsense", "0::/system.slice", "0::/system.slice/", "0::/x.mount",
        "0::relative.service", "0::/../system.slice/billing.service",
        "0::/system.slice/billing.service (deleted)", "0::/billing"}) {
    CAPTURE(text);
    CHECK(unit_in_cgroups(text).empty());
  }
}

namespace {

grantd::common::BootTime now() { return grantd::common::SystemClock{}.now(); }

std::optional<std::string> own_unit() {
  return unit_of_process(::getpid(), ::geteuid(), {.accepted = now()});
}

}  // namespace

TEST_CASE("unit of a peer: the pinned process and the one of that number are the same here") {
  std::array<int, 2> ends{};
  REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) == 0);
  const UniqueFd mine{ends[0]}, other{ends[1]};
  CHECK(unit_of_peer(mine.get(), ::getpid(), ::geteuid(), {.accepted = now()}) == own_unit());
  CHECK(unit_of_peer(mine.get(), 0, ::geteuid(), {.accepted = now()}) == "");
}

TEST_CASE("unit of a process by its number: only with its user, started before the connection, and at once") {
  const auto directory =
      std::filesystem::temp_directory_path() / ("grantd-proc-" + std::to_string(::getpid()));
  std::filesystem::create_directories(directory / "42");
  auto write = [&](const char* name, std::string_view text) {
    std::ofstream{directory / "42" / name} << text;
  };
  write("cgroup", "0::/system.slice/billing.service\n");
  write("status", "Name:\tUid:\t1\nUmask:\t0022\nUid:\t5\t1001\t1001\t1001\nGid:\t1\t1\t1\t1\n");
  const auto tick = std::chrono::milliseconds{1000 / ::sysconf(_SC_CLK_TCK)};
  // Started in tick 500; a name with a parenthesis must not shift the fields.
  write("stat", "42 (a) b) S 1 42 42 0 -1 4194304 1 0 0 0 0 0 0 0 20 0 1 0 500 1000 100\n");
  auto unit = [&](uid_t uid, grantd::common::BootTime accepted, bool queued) {
    return unit_of_process(42, uid, {.accepted = accepted, .was_queued = queued}, directory.string());
  };
  const grantd::common::BootTime later{501 * tick};
  CHECK(unit(1001, later, false) == "billing.service");
  CHECK(unit(5, later, false) == "");  // the real user is not the one who connects
  CHECK(unit(1001, later, true) == "");
  CHECK(unit(1001, later - std::chrono::milliseconds{1}, false) == "");
  CHECK(unit_of_process(43, 1001, {.accepted = later}, directory.string()) == "");
  write("stat", "42 (a) S 1");
  CHECK(unit(1001, later, false) == "");
  std::filesystem::remove_all(directory);
}

TEST_CASE("unit of a peer: without a descriptor to find out with it is not none but unknown") {
  std::array<int, 2> ends{};
  REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) == 0);
  const UniqueFd mine{ends[0]}, other{ends[1]};
  rlimit before{};
  REQUIRE(::getrlimit(RLIMIT_NOFILE, &before) == 0);
  const rlimit none{.rlim_cur = 0, .rlim_max = before.rlim_max};
  REQUIRE(::setrlimit(RLIMIT_NOFILE, &none) == 0);
  const auto of_peer = unit_of_peer(mine.get(), ::getpid(), ::geteuid(), {.accepted = now()});
  const auto of_process = own_unit();
  const auto peer = grantd::daemon::identify_peer(mine.get(), {.accepted = now()});
  REQUIRE(::setrlimit(RLIMIT_NOFILE, &before) == 0);
  CHECK_FALSE(of_peer.has_value());
  CHECK_FALSE(of_process.has_value());
  CHECK_FALSE(peer.has_value());
}
