// What an answer costs when nothing is done for it: read, find the end of the head, write a fixed response.
// No server that does anything can be cheaper by much, so the others are measured against it.
#include <sys/epoll.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <map>
#include <string_view>

#include "bench/unix_socket.hpp"

namespace {

using grantd::bench::fail;
using grantd::bench::unix_socket;
using grantd::common::UniqueFd;

std::string response_with(std::size_t body_size) {
  return "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: " + std::to_string(body_size) +
         "\r\n\r\n" + std::string(body_size, 'x');
}

void watch(int epoll, int fd) {
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.fd = fd;
  if (::epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) != 0) fail("epoll_ctl");
}

// False when the connection is over. Requests of the generator are small and arrive whole.
bool answer(int fd, std::string_view response) {
  std::array<char, 4096> request;
  const ssize_t got = ::recv(fd, request.data(), request.size(), MSG_DONTWAIT);
  if (got <= 0) return got < 0 && errno == EAGAIN;
  if (!std::string_view{request.data(), static_cast<std::size_t>(got)}.ends_with("\r\n\r\n")) return false;
  return ::send(fd, response.data(), response.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(response.size());
}

void serve(int listener, std::string_view response) {
  const UniqueFd epoll{::epoll_create1(EPOLL_CLOEXEC)};
  if (!epoll) fail("epoll_create1");
  watch(epoll.get(), listener);
  std::map<int, UniqueFd> connections;
  std::array<epoll_event, 256> events;
  while (true) {
    const int ready = ::epoll_wait(epoll.get(), events.data(), static_cast<int>(events.size()), -1);
    if (ready < 0 && errno != EINTR) fail("epoll_wait");
    for (int i = 0; i < ready; ++i) {
      const int fd = events[static_cast<std::size_t>(i)].data.fd;
      if (fd != listener) {
        if (!answer(fd, response)) connections.erase(fd);
        continue;
      }
      UniqueFd connection{::accept4(listener, nullptr, nullptr, SOCK_CLOEXEC)};
      if (!connection) fail("accept");
      watch(epoll.get(), connection.get());
      const int number = connection.get();
      connections.emplace(number, std::move(connection));
    }
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) {
    std::fputs("usage: epoll_floor SOCKET BODY_SIZE\n", stderr);
    return 64;
  }
  try {
    const UniqueFd listener = unix_socket(argv[1], ::bind);
    if (::listen(listener.get(), 4096) != 0) fail("listen");
    serve(listener.get(), response_with(std::stoul(argv[2])));
  } catch (const std::exception& error) {
    std::fprintf(stderr, "epoll_floor: %s\n", error.what());
    return 1;
  }
}
