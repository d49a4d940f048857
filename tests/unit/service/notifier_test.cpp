#include "daemon/service/notifier.hpp"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>

#include <array>
#include <cstring>
#include <filesystem>
#include <vector>

#include "tests/fakes/log_recorder.hpp"
#include "tests/fakes/manual_clock.hpp"

using namespace grantd;
using namespace std::chrono_literals;
using daemon::Notifier;

namespace {

/// The manager's end, and the environment that it gives to the daemon.
class Manager {
 public:
  explicit Manager(const char* store_size = "8") {
    std::string pattern = std::filesystem::temp_directory_path() / "grantd-notify-XXXXXX";
    REQUIRE(::mkdtemp(pattern.data()) != nullptr);
    directory_ = pattern;
    ::setenv("NOTIFY_SOCKET", path().c_str(), 1);
    if (store_size != nullptr) ::setenv("FDSTORE", store_size, 1);
    listen();
  }
  ~Manager() {
    for (const char* name : {"NOTIFY_SOCKET", "FDSTORE", "WATCHDOG_USEC"}) ::unsetenv(name);
    std::error_code ignored;
    std::filesystem::remove_all(directory_, ignored);
  }
  Manager(const Manager&) = delete;
  Manager& operator=(const Manager&) = delete;

  std::string path() const { return directory_ / "notify"; }
  void listen() {
    socket_.reset(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path().copy(address.sun_path, sizeof address.sun_path - 1);
    REQUIRE(::bind(socket_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
  }
  void go_away() {
    socket_.reset();
    std::filesystem::remove(path());
  }

  /// What has arrived; a message with a descriptor ends in that one's inode.
  std::vector<std::string> read() {
    std::vector<std::string> messages;
    while (true) {
      std::array<char, 4096> text;
      iovec piece{text.data(), text.size()};
      alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int))> control;
      msghdr datagram{};
      datagram.msg_iov = &piece;
      datagram.msg_iovlen = 1;
      datagram.msg_control = control.data();
      datagram.msg_controllen = control.size();
      const ssize_t got = ::recvmsg(socket_.get(), &datagram, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
      if (got < 0) return messages;
      messages.emplace_back(text.data(), static_cast<std::size_t>(got));
      if (const cmsghdr* head = CMSG_FIRSTHDR(&datagram)) {
        int passed = -1;
        std::memcpy(&passed, CMSG_DATA(head), sizeof passed);
        messages.back() += " " + std::to_string(inode(passed));
        ::close(passed);
      }
    }
  }
  static ino_t inode(int descriptor) {
    struct stat about{};
    REQUIRE(::fstat(descriptor, &about) == 0);
    return about.st_ino;
  }

 private:
  std::filesystem::path directory_;
  common::UniqueFd socket_;
};

using Texts = std::vector<std::string>;

struct Fixture {
  explicit Fixture(const char* store_size = "8") : manager(store_size) {}
  /// Until the manager takes no more.
  void fill() {
    for (int i = 0; i < 100'000 && notifier.hold_now("filling", memory.get()); ++i) {
    }
    REQUIRE_FALSE(notifier.hold_now("filling", memory.get()));
  }
  std::string held(const std::string& name) const {
    return "FDSTORE=1\nFDPOLL=0\nFDNAME=" + name + " " + std::to_string(Manager::inode(memory.get()));
  }

  Manager manager;
  tests::ManualTime time;
  tests::LogRecorder log;
  common::UniqueFd memory{::open("/dev/null", O_RDONLY | O_CLOEXEC)};
  Notifier notifier{time.timers, log};
};

}  // namespace

TEST_CASE("notifier: what there is to say goes to the manager at once") {
  Fixture f;
  f.notifier.ready("Serving");
  f.notifier.hold("tokens", f.memory.get());
  CHECK(f.notifier.hold_now("page", f.memory.get()));
  f.notifier.release("page");
  f.notifier.alive();
  f.notifier.stopping("Done");
  CHECK(f.manager.read() == Texts{"READY=1\nSTATUS=Serving", f.held("tokens"), f.held("page"),
                                  "FDSTOREREMOVE=1\nFDNAME=page", "WATCHDOG=1", "STOPPING=1\nSTATUS=Done"});
  f.time.advance(1h);
  CHECK(f.manager.read().empty());
  CHECK(f.log.lines().empty());
}

TEST_CASE("notifier: nothing waits for a manager that does not read, and what must not be lost comes later") {
  Fixture f;
  f.fill();
  f.notifier.reloading();
  f.notifier.ready("Before");
  f.notifier.ready("After");
  f.notifier.hold("tokens", f.memory.get());
  f.notifier.release("one");
  for (int i = 0; i < 1000; ++i) f.notifier.alive();
  f.manager.read();
  f.time.advance(5s);
  CHECK(f.manager.read() == Texts{"READY=1\nSTATUS=After", f.held("tokens"), "FDSTOREREMOVE=1\nFDNAME=one"});
  f.time.advance(1h);
  CHECK(f.manager.read().empty());
}

TEST_CASE("notifier: nothing is held now while something is to be released before") {
  Fixture f;
  f.fill();
  f.notifier.release("one");
  CHECK_FALSE(f.notifier.hold_now("two", f.memory.get()));
  f.manager.read();
  CHECK(f.notifier.hold_now("two", f.memory.get()));
  CHECK(f.manager.read() == Texts{"FDSTOREREMOVE=1\nFDNAME=one", f.held("two")});
}

TEST_CASE("notifier: a manager that is away for a while hears everything, and the log says so once") {
  Fixture f;
  f.manager.go_away();
  CHECK_FALSE(f.notifier.hold_now("page", f.memory.get()));
  f.notifier.ready("Serving");
  f.notifier.hold("tokens", f.memory.get());
  f.time.advance(100ms);
  CHECK(f.log.lines().empty());
  f.time.advance(1min);
  CHECK(f.log.count("event=service_manager_silent") == 1);
  CHECK(f.log.has("No such file or directory"));
  f.manager.listen();
  f.time.advance(3s);
  CHECK(f.manager.read() == Texts{"READY=1\nSTATUS=Serving", f.held("tokens")});
  CHECK(f.log.lines().size() == 1);
}

TEST_CASE("notifier: how the daemon is does not wait for a descriptor that cannot be sent") {
  Fixture f;
  constexpr int none = 1'000'000;
  f.notifier.hold("tokens", none);
  f.notifier.ready("Serving");
  CHECK(f.manager.read() == Texts{"READY=1\nSTATUS=Serving"});
}

TEST_CASE("notifier: the store is as large as was said, and none where nobody said so") {
  for (const auto& [said, size] :
       std::vector<std::pair<const char*, std::size_t>>{{"4096", 4096},
                                                        {"1", 1},
                                                        {"0", 0},
                                                        {"", 0},
                                                        {"-1", 0},
                                                        {"12x", 0},
                                                        {"99999999999999999999", 0},
                                                        {nullptr, 0}}) {
    Fixture f{said};
    CHECK(f.notifier.has_manager());
    CHECK(f.notifier.store_size() == size);
  }
}

TEST_CASE("notifier: an abstract socket is reached like any other") {
  Fixture f;
  common::UniqueFd abstract{::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0)};
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const std::string name = "grantd-notifier-test-" + std::to_string(::getpid());
  name.copy(address.sun_path + 1, name.size());
  const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + name.size());
  REQUIRE(::bind(abstract.get(), reinterpret_cast<const sockaddr*>(&address), size) == 0);
  ::setenv("NOTIFY_SOCKET", ("@" + name).c_str(), 1);
  Notifier{f.time.timers, f.log}.ready("Serving");
  std::array<char, 100> text;
  const ssize_t got = ::recv(abstract.get(), text.data(), text.size(), MSG_DONTWAIT);
  REQUIRE(got > 0);
  CHECK(std::string{text.data(), static_cast<std::size_t>(got)} == "READY=1\nSTATUS=Serving");
}

TEST_CASE("notifier: without a manager nothing happens") {
  Fixture f;
  ::unsetenv("NOTIFY_SOCKET");
  Notifier alone{f.time.timers, f.log};
  alone.ready("Serving");
  alone.hold("tokens", f.memory.get());
  CHECK_FALSE(alone.hold_now("page", f.memory.get()));
  alone.release("page");
  CHECK_FALSE(alone.has_manager());
  CHECK(alone.store_size() == 0);
  CHECK_FALSE(f.time.timers.next_wakeup());
  CHECK(f.manager.read().empty());
}
