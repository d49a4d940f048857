#include <doctest/doctest.h>
#include <sys/socket.h>

#include <array>
#include <cstring>
#include <string>

#include "daemon/loop/loop.hpp"

namespace grantd::tests {
namespace {

using namespace std::chrono_literals;
using daemon::awaitable;

struct Pair {
  common::SystemClock clock;
  daemon::Loop loop{clock};
  daemon::WatchedFd mine{loop};
  common::UniqueFd theirs;
  std::string received{};
  bool interrupted = false;

  Pair() {
    int ends[2];
    REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0);
    mine.open(common::UniqueFd{ends[0]});
    theirs.reset(ends[1]);
  }
  void turns(int number) {
    for (int i = 0; i < number; ++i) loop.turn(0ms);
  }
  void send(std::string_view text) {
    REQUIRE(::send(theirs.get(), text.data(), text.size(), MSG_NOSIGNAL) ==
            static_cast<ssize_t>(text.size()));
  }
  awaitable<> read_all(std::size_t at_once) {
    std::string piece(at_once, ' ');
    while (true) {
      const bool came = co_await mine.readable();
      if (!came) {
        interrupted = true;
        co_return;
      }
      const auto got = mine.receive(piece);
      if (!got) continue;
      if (*got <= 0) co_return;
      received.append(piece, 0, static_cast<std::size_t>(*got));
    }
  }
};

TEST_CASE("watched descriptor: what comes is read, however little is taken at once, and so is the end") {
  for (const std::size_t at_once : {1U, 3U, 64U}) {
    Pair f;
    bool ended = false;
    f.loop.spawn(f.read_all(at_once), [&](std::exception_ptr) { ended = true; });
    f.send("abc");
    f.turns(2);
    CHECK(f.received == "abc");
    f.send("def");
    f.send("g");
    f.turns(2);
    CHECK(f.received == "abcdefg");
    CHECK_FALSE(ended);
    f.send("h");
    f.theirs.reset();
    f.turns(2);
    CHECK(f.received == "abcdefgh");
    CHECK(ended);
  }
}

TEST_CASE("watched descriptor: what stands behind passed descriptors or urgent data is read as well") {
  Pair f;
  f.loop.spawn(f.read_all(64));
  std::array<char, CMSG_SPACE(sizeof(int))> control{};
  std::string text = "with a descriptor, ";
  iovec piece{.iov_base = text.data(), .iov_len = text.size()};
  msghdr message{};
  message.msg_iov = &piece;
  message.msg_iovlen = 1;
  message.msg_control = control.data();
  message.msg_controllen = control.size();
  cmsghdr* const header = CMSG_FIRSTHDR(&message);
  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = SCM_RIGHTS;
  header->cmsg_len = CMSG_LEN(sizeof(int));
  const int passed = f.theirs.get();
  std::memcpy(CMSG_DATA(header), &passed, sizeof passed);
  REQUIRE(::sendmsg(f.theirs.get(), &message, 0) == static_cast<ssize_t>(text.size()));
  f.send("behind it");
  f.turns(2);
  CHECK(f.received == "with a descriptor, behind it");
  if (::send(f.theirs.get(), "!", 1, MSG_OOB) != 1) return;  // older kernels have none on this kind of socket
  f.received.clear();
  f.send(" and behind a mark");
  f.turns(3);
  CHECK(f.received == " and behind a mark");
}

TEST_CASE("watched descriptor: it is known without asking that there is nothing to read") {
  Pair f;
  CHECK_FALSE(f.mine.may_read());
  f.send("abc");
  CHECK_FALSE(f.mine.may_read());
  f.turns(1);
  CHECK(f.mine.may_read());
  std::array<char, 16> bytes;
  CHECK(f.mine.receive(bytes) == 3);
  CHECK_FALSE(f.mine.may_read());
  CHECK_FALSE(f.mine.receive(bytes));
}

TEST_CASE("watched descriptor: an interrupted or closed one ends the wait, in the loop's next turn") {
  for (const bool by_closing : {false, true}) {
    Pair f;
    f.mine.interrupt_reading();  // nobody waits, so nothing is remembered
    f.loop.spawn(f.read_all(16));
    f.turns(1);
    CHECK_FALSE(f.interrupted);
    if (by_closing) {
      f.mine.close();
    } else {
      f.mine.interrupt_reading();
    }
    CHECK_FALSE(f.interrupted);
    f.turns(1);
    CHECK(f.interrupted);
    CHECK(f.mine.is_open() != by_closing);
  }
}

TEST_CASE("watched descriptor: who writes more than the kernel takes goes on when the other side reads") {
  Pair f;
  const std::string text(std::size_t{4} << 20, 'x');
  bool ended = false;
  auto write = [&]() -> awaitable<> {
    for (std::size_t sent = 0; sent < text.size();) {
      const ssize_t taken =
          ::send(f.mine.get(), text.data() + sent, text.size() - sent, MSG_NOSIGNAL | MSG_DONTWAIT);
      if (taken > 0) sent += static_cast<std::size_t>(taken);
      if (sent == text.size()) break;
      const bool ready = co_await f.mine.writable();
      if (!ready) co_return;
    }
  };
  f.loop.spawn(write(), [&](std::exception_ptr) { ended = true; });
  CHECK_FALSE(ended);
  std::size_t read = 0;
  std::array<char, 65536> bytes;
  for (int i = 0; i < 1'000'000 && read < text.size(); ++i) {
    const ssize_t got = ::recv(f.theirs.get(), bytes.data(), bytes.size(), MSG_DONTWAIT);
    if (got > 0) read += static_cast<std::size_t>(got);
    f.turns(1);
  }
  CHECK(read == text.size());
  CHECK(ended);
}

TEST_CASE("watched descriptor: a half-closed connection is not hung up, a closed one is") {
  Pair f;
  int told = 0;
  f.mine.on_hung_up([&] { ++told; });
  ::shutdown(f.theirs.get(), SHUT_WR);
  f.turns(2);
  CHECK(f.mine.may_read());
  CHECK_FALSE(f.mine.hung_up());
  f.theirs.reset();
  f.turns(2);
  CHECK(f.mine.hung_up());
  CHECK(told >= 1);
}

TEST_CASE("watched descriptor: one that is closed while others have news hears of nothing") {
  Pair f;
  int ends[2];
  REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0);
  auto other = std::make_unique<daemon::WatchedFd>(f.loop);
  const common::UniqueFd other_side{ends[1]};
  int heard = 0;
  // Whichever is told first takes the other one away.
  f.mine.on_readable([&] {
    f.mine.nothing_to_read();
    ++heard;
    other.reset();
  });
  other->on_readable([&] {
    other->nothing_to_read();
    ++heard;
    f.mine.close();
  });
  other->open(common::UniqueFd{ends[0]});
  f.send("a");
  REQUIRE(::send(other_side.get(), "b", 1, MSG_NOSIGNAL) == 1);
  f.turns(2);
  CHECK(heard == 1);
}

}  // namespace
}  // namespace grantd::tests
