// The floor: an epoll loop that reads whatever came and writes a fixed answer of the size of a token's.
// Nothing that answers HTTP on a Unix socket from one thread can cost less.
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <string>

namespace {

constexpr std::size_t body_size = 1024;

[[noreturn]] void give_up(const char* what) {
  std::perror(what);
  std::exit(1);
}

void watch(int epoll, int fd) {
  epoll_event event{.events = EPOLLIN, .data = {.fd = fd}};
  if (::epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) != 0) give_up("epoll_ctl");
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fprintf(stderr, "usage: epoll-floor SOCKET\n");
    return 64;
  }
  const int listener = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::string{argv[1]}.copy(address.sun_path, sizeof address.sun_path - 1);
  if (::bind(listener, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) give_up("bind");
  if (::listen(listener, 4096) != 0) give_up("listen");
  const int epoll = ::epoll_create1(EPOLL_CLOEXEC);
  watch(epoll, listener);
  const std::string answer =
      "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: " + std::to_string(body_size) +
      "\r\n\r\n" + std::string(body_size, 'x');
  std::array<epoll_event, 256> events;
  std::array<char, 4096> buffer;
  while (true) {
    const int ready = ::epoll_wait(epoll, events.data(), static_cast<int>(events.size()), -1);
    for (int i = 0; i < ready; ++i) {
      const int fd = events[static_cast<std::size_t>(i)].data.fd;
      if (fd == listener) {
        watch(epoll, ::accept4(listener, nullptr, nullptr, SOCK_CLOEXEC));
      } else if (::recv(fd, buffer.data(), buffer.size(), 0) <= 0 ||
                 ::send(fd, answer.data(), answer.size(), MSG_NOSIGNAL) < 0) {
        ::close(fd);
      }
    }
  }
}
