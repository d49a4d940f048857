// Drives an HTTP server on a Unix socket from one thread with epoll: every connection always has one request
// under way. It does as little as possible per response (finds the end by Content-Length), so that it is
// never the bottleneck, and treats all servers alike.
#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

namespace {

using Clock = std::chrono::steady_clock;

struct Connection {
  int fd = -1;
  std::string input;
  Clock::time_point sent{};
};

struct Options {
  std::string socket;
  std::string target = "/";
  std::size_t connections = 1;
  double seconds = 1;
  std::size_t requests =
      0;  // each connection sends one and all begin at once; 0: as many as fit into `seconds`
};

[[noreturn]] void give_up(const char* what) {
  std::perror(what);
  std::exit(1);
}

int connect_to(const std::string& path) {
  const int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path.copy(address.sun_path, sizeof address.sun_path - 1);
  if (::connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) give_up("connect");
  return fd;
}

// Size of the whole response at the front, 0 while it is not complete; exits on anything but a 200.
std::size_t response_size(std::string_view input) {
  const auto head_end = input.find("\r\n\r\n");
  if (head_end == std::string_view::npos) return 0;
  if (input.substr(9, 3) != "200") {
    std::fprintf(stderr, "%.*s\n", static_cast<int>(input.size()), input.data());
    std::exit(1);
  }
  const auto field = input.find("Content-Length: ");
  if (field > head_end) {
    std::fprintf(stderr, "a response without Content-Length\n");
    std::exit(1);
  }
  const std::size_t size = head_end + 4 + std::strtoull(input.data() + field + 16, nullptr, 10);
  return input.size() >= size ? size : 0;
}

class Load {
 public:
  explicit Load(const Options& options)
      : options_(options),
        request_("GET " + options.target + " HTTP/1.1\r\nHost: localhost\r\n\r\n"),
        epoll_(::epoll_create1(EPOLL_CLOEXEC)),
        connections_(options.connections) {
    for (Connection& connection : connections_) {
      connection.fd = connect_to(options.socket);
      epoll_event event{.events = EPOLLIN, .data = {.ptr = &connection}};
      if (::epoll_ctl(epoll_, EPOLL_CTL_ADD, connection.fd, &event) != 0) give_up("epoll_ctl");
    }
  }

  void run() {
    begun_ = Clock::now();
    const auto end = begun_ + std::chrono::duration<double>(options_.seconds);
    for (Connection& connection : connections_) send(connection);
    std::size_t open = connections_.size();
    std::array<epoll_event, 256> events;
    while (open > 0) {
      const int ready = ::epoll_wait(epoll_, events.data(), static_cast<int>(events.size()), 30'000);
      if (ready <= 0) give_up("epoll_wait");
      for (int i = 0; i < ready; ++i) {
        auto& connection = *static_cast<Connection*>(events[static_cast<std::size_t>(i)].data.ptr);
        if (!receive(connection)) continue;
        if (options_.requests == 0 && Clock::now() < end) {
          send(connection);
        } else {
          --open;
        }
      }
    }
    ended_ = Clock::now();
  }

  void report() {
    std::ranges::sort(latencies_);
    const auto at = [this](double share) {
      return latencies_[static_cast<std::size_t>(share * static_cast<double>(latencies_.size() - 1))];
    };
    const double seconds = std::chrono::duration<double>(ended_ - begun_).count();
    std::printf(
        "{\"requests\": %zu, \"seconds\": %.6f, \"per_second\": %.1f, \"p50_us\": %.1f, \"p99_us\": %.1f, "
        "\"max_us\": %.1f}\n",
        latencies_.size(), seconds, static_cast<double>(latencies_.size()) / seconds, at(0.5), at(0.99),
        at(1));
  }

 private:
  void send(Connection& connection) {
    connection.sent = Clock::now();
    const ssize_t sent = ::send(connection.fd, request_.data(), request_.size(), MSG_NOSIGNAL);
    if (sent != static_cast<ssize_t>(request_.size())) give_up("send");
  }

  bool receive(Connection& connection) {
    std::array<char, 16384> buffer;
    const ssize_t got = ::recv(connection.fd, buffer.data(), buffer.size(), 0);
    if (got <= 0) give_up("recv");
    const std::string_view piece{buffer.data(), static_cast<std::size_t>(got)};
    if (connection.input.empty() && response_size(piece) == piece.size()) return note(connection);
    connection.input += piece;
    if (response_size(connection.input) == 0) return false;
    connection.input.clear();
    return note(connection);
  }

  bool note(const Connection& connection) {
    latencies_.push_back(std::chrono::duration<double, std::micro>(Clock::now() - connection.sent).count());
    return true;
  }

  const Options options_;
  const std::string request_;
  const int epoll_;
  std::vector<Connection> connections_;
  std::vector<double> latencies_;
  Clock::time_point begun_;
  Clock::time_point ended_;
};

}  // namespace

int main(int argc, char** argv) {
  if (argc < 5) {
    std::fprintf(stderr, "usage: load-generator SOCKET TARGET CONNECTIONS SECONDS|once\n");
    return 64;
  }
  Options options{.socket = argv[1], .target = argv[2]};
  options.connections = std::strtoul(argv[3], nullptr, 10);
  if (std::string_view{argv[4]} == "once") {
    options.requests = 1;
  } else {
    options.seconds = std::strtod(argv[4], nullptr);
  }
  Load load{options};
  load.run();
  load.report();
}
