#include "daemon/loop/pipe.hpp"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>

#include <string>

namespace grantd::tests {
namespace {

struct Stream {
  common::UniqueFd front;
  common::UniqueFd back;

  Stream() {
    int ends[2];
    REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) == 0);
    front.reset(ends[0]);
    back.reset(ends[1]);
  }
  void send(std::string_view text) {
    REQUIRE(::send(front.get(), text.data(), text.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(text.size()));
  }
  std::string receive() {
    std::string all;
    std::string piece(4096, ' ');
    for (ssize_t got = 0; (got = ::recv(back.get(), piece.data(), piece.size(), 0)) > 0;)
      all.append(piece, 0, static_cast<std::size_t>(got));
    return all;
  }
};

struct Fixture {
  Stream in;
  Stream out;
  daemon::Pipe pipe = daemon::Pipe::make().value();
};

}  // namespace

TEST_CASE("pipe: bytes go from socket to socket, no more of them than asked for") {
  Fixture f;
  f.in.send("hello world");
  CHECK(f.pipe.move_from(f.in.back.get(), 5) == 5);
  CHECK(f.pipe.size() == 5);
  CHECK(f.pipe.move_to(f.out.front.get()));
  CHECK(f.pipe.size() == 0);
  CHECK(f.pipe.move_from(f.in.back.get(), 100) == 6);
  CHECK(f.pipe.move_to(f.out.front.get()));
  CHECK(f.out.receive() == "hello world");
}

TEST_CASE("pipe: nothing to move, an end and an error are told apart") {
  Fixture f;
  CHECK_FALSE(f.pipe.move_from(f.in.back.get(), 5));
  f.in.front.reset();
  CHECK(f.pipe.move_from(f.in.back.get(), 5) == 0);
  CHECK(f.pipe.move_from(-1, 5) == -1);
  CHECK(f.pipe.size() == 0);
}

TEST_CASE("pipe: what the receiver does not take waits in it, in order") {
  Fixture f;
  std::string sent;
  std::string received;
  for (int i = 0; f.pipe.size() == 0; ++i) {
    REQUIRE(i < 10'000);
    const std::string piece(1000, static_cast<char>('a' + i % 26));
    f.in.send(piece);
    sent += piece;
    CHECK(f.pipe.move_from(f.in.back.get(), 100'000) == 1000);
    CHECK(f.pipe.move_to(f.out.front.get()));
  }
  received += f.out.receive();
  CHECK(f.pipe.move_to(f.out.front.get()));
  CHECK(f.pipe.size() == 0);
  received += f.out.receive();
  CHECK(received == sent);
}

TEST_CASE("pipe: a receiver that is gone is told, and raises no signal where those are ignored") {
  const auto before = ::signal(SIGPIPE, SIG_IGN);
  Fixture f;
  f.out.back.reset();
  f.in.send("hello");
  CHECK(f.pipe.move_from(f.in.back.get(), 5) == 5);
  CHECK_FALSE(f.pipe.move_to(f.out.front.get()));
  CHECK(f.pipe.size() == 5);
  ::signal(SIGPIPE, before);
}

}  // namespace grantd::tests
