// What passing bytes on costs when nothing is looked at: each connection of the socket gets one to the
// upstream, and whatever comes on one goes to the other. No proxy that reads what it passes on can be cheaper
// by much.
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <memory>
#include <string_view>
#include <vector>

#include "bench/unix_socket.hpp"

namespace {

using grantd::bench::fail;
using grantd::bench::unix_socket;
using grantd::common::UniqueFd;

struct Side {
  UniqueFd fd;
  Side* other = nullptr;
};

UniqueFd connect_to_loopback(std::uint16_t port) {
  UniqueFd fd{::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (!fd || ::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
    fail("connect");
  const int on = 1;
  ::setsockopt(fd.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  return fd;
}

void watch(int epoll, int fd, Side* side) {
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.ptr = side;
  if (::epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) != 0) fail("epoll_ctl");
}

// Blocks while the other side does not read, which is as simple as it gets.
bool pass_on(Side& side, std::vector<char>& buffer) {
  const ssize_t got = ::recv(side.fd.get(), buffer.data(), buffer.size(), MSG_DONTWAIT);
  if (got <= 0) return got < 0 && errno == EAGAIN;
  for (ssize_t sent = 0; sent < got;) {
    const ssize_t taken = ::send(side.other->fd.get(), buffer.data() + sent,
                                 static_cast<std::size_t>(got - sent), MSG_NOSIGNAL);
    if (taken <= 0) return false;
    sent += taken;
  }
  return true;
}

void serve(int listener, std::uint16_t port) {
  const UniqueFd epoll{::epoll_create1(EPOLL_CLOEXEC)};
  if (!epoll) fail("epoll_create1");
  watch(epoll.get(), listener, nullptr);
  std::vector<std::unique_ptr<Side>> sides;
  std::vector<char> buffer(64 * 1024);
  std::array<epoll_event, 256> events;
  while (true) {
    const int ready = ::epoll_wait(epoll.get(), events.data(), static_cast<int>(events.size()), -1);
    if (ready < 0 && errno != EINTR) fail("epoll_wait");
    for (int i = 0; i < ready; ++i) {
      auto* side = static_cast<Side*>(events[static_cast<std::size_t>(i)].data.ptr);
      if (side == nullptr) {
        UniqueFd connection{::accept4(listener, nullptr, nullptr, SOCK_CLOEXEC)};
        if (!connection) fail("accept");
        auto caller = std::make_unique<Side>(std::move(connection));
        auto upstream = std::make_unique<Side>(connect_to_loopback(port));
        caller->other = upstream.get();
        upstream->other = caller.get();
        watch(epoll.get(), caller->fd.get(), caller.get());
        watch(epoll.get(), upstream->fd.get(), upstream.get());
        sides.push_back(std::move(caller));
        sides.push_back(std::move(upstream));
      } else if (side->fd && !pass_on(*side, buffer)) {
        side->fd.reset();
        side->other->fd.reset();
      }
    }
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) {
    std::fputs("usage: relay_floor SOCKET UPSTREAM_PORT\n", stderr);
    return 64;
  }
  try {
    const UniqueFd listener = unix_socket(argv[1], ::bind);
    if (::listen(listener.get(), 4096) != 0) fail("listen");
    serve(listener.get(), static_cast<std::uint16_t>(std::stoul(argv[2])));
  } catch (const std::exception& error) {
    std::fprintf(stderr, "relay_floor: %s\n", error.what());
    return 1;
  }
}
