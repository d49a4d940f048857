// Keeps one request under way on each of its connections, from one thread and without threads or coroutines
// of its own, so that the server under test is what limits the throughput. Prints what it saw as one line of
// JSON.
#include <sys/epoll.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <optional>
#include <string_view>
#include <vector>

#include "bench/latencies.hpp"
#include "bench/unix_socket.hpp"
#include "common/ascii.hpp"

namespace {

using grantd::bench::Clock;
using grantd::bench::fail;
using grantd::bench::Seconds;
using grantd::bench::unix_socket;
using grantd::common::UniqueFd;

struct Options {
  std::string socket;
  std::string path = "/";
  std::size_t definitions = 0;  // 0: `path` itself is asked for; else "PATH0" and so on, in turn
  std::size_t connections = 1;
  std::size_t idle = 0;  // further connections, each after one request
  double seconds = 1;
  bool burst = false;  // one request on each connection, all at once
  bool hold = false;   // keep the connections until standard input ends
};

// Exits where the arguments make no sense.
Options read_options(int argc, char** argv) {
  Options options;
  for (int i = 1; i < argc; ++i) {
    const std::string_view name = argv[i];
    if (name == "--burst") {
      options.burst = true;
    } else if (name == "--hold") {
      options.hold = true;
    } else if (i + 1 == argc) {
      throw std::invalid_argument("unknown option or one without its value: " + std::string{name});
    } else if (const std::string value = argv[++i]; name == "--socket") {
      options.socket = value;
    } else if (name == "--path") {
      options.path = value;
    } else if (name == "--definitions") {
      options.definitions = std::stoul(value);
    } else if (name == "--connections") {
      options.connections = std::stoul(value);
    } else if (name == "--idle") {
      options.idle = std::stoul(value);
    } else if (name == "--seconds") {
      options.seconds = std::stod(value);
    } else {
      throw std::invalid_argument("unknown option: " + std::string{name});
    }
  }
  if (options.socket.empty()) throw std::invalid_argument("--socket is missing");
  return options;
}

// The value of Content-Length, the one framing that every server here uses.
std::size_t content_length(std::string_view head) {
  constexpr std::string_view name = "\r\ncontent-length:";
  const auto at = std::search(head.begin(), head.end(), name.begin(), name.end(),
                              [](char a, char b) { return grantd::ascii::to_lower(a) == b; });
  if (at == head.end()) throw std::runtime_error("a response without Content-Length");
  auto digits = head.substr(static_cast<std::size_t>(at - head.begin()) + name.size());
  digits.remove_prefix(std::min(digits.find_first_not_of(' '), digits.size()));
  std::size_t value = 0;
  std::from_chars(digits.data(), digits.data() + digits.size(), value);
  return value;
}

class Connection {
 public:
  explicit Connection(const std::string& socket) : fd_(unix_socket(socket, ::connect)) {}

  int fd() const { return fd_.get(); }
  void send(std::string_view request) {
    if (::send(fd(), request.data(), request.size(), MSG_NOSIGNAL) != static_cast<ssize_t>(request.size()))
      fail("send");
    sent_ = Clock::now();
  }
  // The response's latency once it is whole.
  std::optional<Clock::duration> receive() {
    const ssize_t got = ::recv(fd(), input_.data() + size_, input_.size() - size_, MSG_DONTWAIT);
    if (got == 0) throw std::runtime_error("the server closed a connection");
    if (got < 0) {
      if (errno == EAGAIN) return std::nullopt;
      fail("recv");
    }
    size_ += static_cast<std::size_t>(got);
    const std::string_view input{input_.data(), size_};
    const auto end = input.find("\r\n\r\n");
    if (end == std::string_view::npos || size_ < end + 4 + content_length(input.substr(0, end + 2)))
      return std::nullopt;
    if (!input.starts_with("HTTP/1.1 200 "))
      throw std::runtime_error("an answer that is no success: " + std::string{input.substr(0, 12)});
    size_ = 0;
    return Clock::now() - sent_;
  }

 private:
  UniqueFd fd_;
  Clock::time_point sent_;
  std::array<char, 8192> input_;
  std::size_t size_ = 0;
};

double cpu_seconds() {
  timespec used{};
  ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
  return static_cast<double>(used.tv_sec) + static_cast<double>(used.tv_nsec) / 1e9;
}

std::vector<std::string> requests_of(const Options& options) {
  const auto request = [](const std::string& path) {
    return "GET " + path + " HTTP/1.1\r\nHost: localhost\r\n\r\n";
  };
  if (options.definitions == 0) return {request(options.path)};
  std::vector<std::string> requests;
  requests.reserve(options.definitions);
  for (std::size_t i = 0; i < options.definitions; ++i)
    requests.push_back(request(options.path + std::to_string(i)));
  return requests;
}

class Generator {
 public:
  explicit Generator(const Options& options) : options_(options), requests_(requests_of(options)) {
    if (!epoll_) fail("epoll_create1");
    open(idle_, options.idle);
    open(active_, options.connections);
  }

  void run() {
    one_request_each(idle_);
    if (!options_.burst) one_request_each(active_);
    const double cpu = cpu_seconds();
    const auto begun = Clock::now();
    if (options_.burst) {
      latencies_ = one_request_each(active_);
    } else {
      keep_busy(begun + std::chrono::duration_cast<Clock::duration>(Seconds{options_.seconds}));
    }
    report(Seconds{Clock::now() - begun}.count(), cpu_seconds() - cpu);
  }

 private:
  void open(std::vector<Connection>& connections, std::size_t count) {
    connections.reserve(count);
    for (std::size_t i = 0; i < count; ++i) {
      Connection& connection = connections.emplace_back(options_.socket);
      epoll_event event{};
      event.events = EPOLLIN;
      event.data.ptr = &connection;
      if (::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, connection.fd(), &event) != 0) fail("epoll_ctl");
    }
  }

  void send(Connection& connection) {
    connection.send(requests_[next_]);
    if (++next_ == requests_.size()) next_ = 0;
  }

  // Calls `on_answer(connection, latency)` for every response that has become whole.
  template <class OnAnswer>
  void wait(OnAnswer on_answer) {
    const int ready = ::epoll_wait(epoll_.get(), events_.data(), static_cast<int>(events_.size()), 10'000);
    if (ready < 0 && errno != EINTR) fail("epoll_wait");
    if (ready == 0) throw std::runtime_error("the server has been silent for ten seconds");
    for (int i = 0; i < ready; ++i) {
      auto& connection = *static_cast<Connection*>(events_[static_cast<std::size_t>(i)].data.ptr);
      if (const auto latency = connection.receive()) on_answer(connection, *latency);
    }
  }

  std::vector<Clock::duration> one_request_each(std::vector<Connection>& connections) {
    std::vector<Clock::duration> latencies;
    const auto begun = Clock::now();
    for (Connection& connection : connections) send(connection);
    while (latencies.size() < connections.size())
      wait([&](Connection&, Clock::duration) { latencies.push_back(Clock::now() - begun); });
    return latencies;
  }

  void keep_busy(Clock::time_point until) {
    std::size_t under_way = active_.size();
    for (Connection& connection : active_) send(connection);
    while (under_way > 0) {
      const bool going_on = Clock::now() < until;
      wait([&](Connection& connection, Clock::duration latency) {
        latencies_.push_back(latency);
        if (going_on) {
          send(connection);
        } else {
          --under_way;
        }
      });
    }
  }

  void report(double seconds, double cpu) {
    const std::string distribution = grantd::bench::distribution_json(latencies_);
    const auto microseconds = [&](double part) {
      return grantd::bench::quantile(latencies_, part).count() / 1000;
    };
    std::printf(
        "{\"requests\": %zu, \"seconds\": %.6f, \"cpu_seconds\": %.6f, \"p50_us\": %.1f, \"p99_us\": %.1f, "
        "\"max_us\": %.1f, \"distribution\": %s}\n",
        latencies_.size(), seconds, cpu, microseconds(0.5), microseconds(0.99), microseconds(1),
        distribution.c_str());
    std::fflush(stdout);
  }

  const Options& options_;
  const std::vector<std::string> requests_;
  std::size_t next_ = 0;
  UniqueFd epoll_{::epoll_create1(EPOLL_CLOEXEC)};
  std::vector<Connection> idle_, active_;
  std::array<epoll_event, 256> events_;
  std::vector<Clock::duration> latencies_;
};

void allow_many_descriptors() {
  rlimit limit{};
  ::getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);
}

}  // namespace

int main(int argc, char** argv) {
  try {
    const Options options = read_options(argc, argv);
    allow_many_descriptors();
    Generator generator{options};
    generator.run();
    char ignored = 0;
    while (options.hold && ::read(STDIN_FILENO, &ignored, 1) > 0) {
    }
  } catch (const std::invalid_argument& error) {
    std::fprintf(stderr, "load_generator: %s\n", error.what());
    return 64;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "load_generator: %s\n", error.what());
    return 1;
  }
}
