#include <doctest/doctest.h>
#include <fcntl.h>
#include <grp.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <fstream>

#include "tests/unit/server/server_fixture.hpp"

namespace grantd::tests {
namespace {

struct SocketFixture {
  TemporaryDirectory directory;
  LogRecorder log;
  config::DaemonSettings settings;

  SocketFixture() { settings.socket = directory.path() / "s"; }
  auto create() { return SocketFile::create(settings, log); }
  std::string failure() {
    const auto created = create();
    return created ? std::string{} : created.error();
  }
  bool exists() const { return std::filesystem::exists(std::filesystem::symlink_status(settings.socket)); }
  struct stat status() const {
    struct stat found{};
    REQUIRE(::lstat(settings.socket.c_str(), &found) == 0);
    return found;
  }
  common::UniqueFd bind_another(int type = SOCK_STREAM) const {
    common::UniqueFd socket{::socket(AF_UNIX, type | SOCK_CLOEXEC, 0)};
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    settings.socket.native().copy(address.sun_path, sizeof address.sun_path - 1);
    REQUIRE(::bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
    return socket;
  }
};

TEST_CASE("socket file: has exactly the configured mode, whatever the umask") {
  for (const mode_t umask_now : {mode_t{0}, mode_t{0077}}) {
    for (const std::uint32_t mode : {0660U, 0600U, 0666U, 0620U}) {
      SocketFixture f;
      f.settings.socket_mode = mode;
      const mode_t before = ::umask(umask_now);
      const auto created = f.create();
      ::umask(before);
      REQUIRE_MESSAGE(created, created.error());
      CHECK((f.status().st_mode & 07777) == mode);
      CHECK(S_ISSOCK(f.status().st_mode));
    }
  }
}

TEST_CASE("socket file: the socket listens, does not block and is not inherited") {
  SocketFixture f;
  auto created = f.create();
  REQUIRE(created);
  const common::UniqueFd socket = created->take_socket();
  int listening = 0;
  socklen_t size = sizeof listening;
  REQUIRE(::getsockopt(socket.get(), SOL_SOCKET, SO_ACCEPTCONN, &listening, &size) == 0);
  CHECK(listening == 1);
  CHECK((::fcntl(socket.get(), F_GETFD) & FD_CLOEXEC) != 0);
  CHECK((::fcntl(socket.get(), F_GETFL) & O_NONBLOCK) != 0);
}

TEST_CASE("socket file: belongs to the configured group; an unknown one is told and left out") {
  SocketFixture f;
  const group* own = ::getgrgid(::getgid());
  REQUIRE(own != nullptr);
  f.settings.socket_group = own->gr_name;
  {
    const auto created = f.create();
    REQUIRE_MESSAGE(created, created.error());
    CHECK(f.status().st_gid == ::getgid());
  }
  f.settings.socket_group = "no-such-group-here";
  const auto created = f.create();
  REQUIRE(created);
  CHECK(f.log.has("unknown_socket_group"));
}

TEST_CASE("socket file: a stale one is replaced") {
  SocketFixture f;
  {
    const auto dead = f.bind_another();
  }
  REQUIRE(f.exists());
  CHECK(f.failure().empty());
}

TEST_CASE("socket file: a live one is not stolen") {
  SocketFixture f;
  const auto other = f.bind_another();
  REQUIRE(::listen(other.get(), 1) == 0);
  const auto before = f.status().st_ino;
  CHECK(f.failure() == f.settings.socket.native() + ": another process is serving this socket");
  CHECK(f.status().st_ino == before);
}

TEST_CASE("socket file: of two daemons the second is told that the first is there") {
  SocketFixture f;
  const auto first = f.create();
  REQUIRE(first);
  CHECK(f.failure() == f.settings.socket.native() + ": another daemon is serving this socket");
  CHECK(f.exists());
}

TEST_CASE("socket file: what is no stream socket is left alone") {
  SocketFixture f;
  std::ofstream{f.settings.socket} << "precious";
  CHECK(f.failure().find("no socket") != std::string::npos);
  CHECK(std::filesystem::file_size(f.settings.socket) == 8);

  SocketFixture datagrams;
  const auto other = datagrams.bind_another(SOCK_DGRAM);
  CHECK_FALSE(datagrams.failure().empty());
  CHECK(datagrams.exists());

  SocketFixture linked;
  std::filesystem::create_symlink("/nowhere/at/all", linked.settings.socket);
  CHECK_FALSE(linked.failure().empty());
  CHECK(linked.exists());
}

TEST_CASE("socket file: a directory that is missing and a path too long are told") {
  SocketFixture f;
  f.settings.socket = f.directory.path() / "absent" / "s";
  CHECK(f.failure().find("No such file or directory") != std::string::npos);
  f.settings.socket = f.directory.path() / std::string(120, 'x');
  CHECK(f.failure().find("107") != std::string::npos);
}

TEST_CASE("socket file: is removed at the end, with its lock, if it is still its own") {
  SocketFixture f;
  {
    auto created = f.create();
    REQUIRE(created);
    SocketFile moved = std::move(*created);
    CHECK(f.exists());
  }
  CHECK(std::filesystem::is_empty(f.directory.path()));
  {
    auto created = f.create();
    REQUIRE(created);
    std::filesystem::remove(f.settings.socket);
    const auto other = f.bind_another();
    created->remove();
    CHECK(f.exists());
  }
}

TEST_CASE("tcp: an address that is taken or none is told by name") {
  const auto first = listen_on_tcp("127.0.0.1", 0);
  REQUIRE(first);
  sockaddr_storage address{};
  socklen_t size = sizeof address;
  REQUIRE(::getsockname(first->get(), reinterpret_cast<sockaddr*>(&address), &size) == 0);
  CHECK(address.ss_family == AF_INET);
  const auto nowhere = listen_on_tcp("192.0.2.1", 1);
  REQUIRE_FALSE(nowhere);
  CHECK(nowhere.error().starts_with("192.0.2.1:1: "));
}

}  // namespace
}  // namespace grantd::tests
