// A host with a broken IPv6 route must not cost the whole connect timeout: attempts overlap, a quarter of a
// second apart (the idea of RFC 8305).
#include "daemon/http/connector.hpp"

#include <arpa/inet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <memory>
#include <system_error>
#include <vector>

namespace grantd::daemon {

using common::BootTime;
using common::UniqueFd;

namespace {

constexpr std::chrono::milliseconds attempt_delay{250};

// Attempts under way, and what the last failed one died of.
class Race {
 public:
  // True when this attempt has connected at once.
  bool start(const addrinfo& address) {
    UniqueFd fd{::socket(address.ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, address.ai_protocol)};
    if (!fd) {
      last_error_ = errno;
      return false;
    }
    const int on = 1;
    ::setsockopt(fd.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    const bool connected = ::connect(fd.get(), address.ai_addr, address.ai_addrlen) == 0;
    if (!connected && errno != EINPROGRESS) {
      last_error_ = errno;
      return false;
    }
    running_.push_back(std::move(fd));
    return connected;
  }

  // The first attempt that has connected, if any within `timeout` milliseconds.
  UniqueFd wait(int timeout) {
    std::vector<pollfd> waiting;
    waiting.reserve(running_.size());
    for (const UniqueFd& fd : running_) waiting.push_back({.fd = fd.get(), .events = POLLOUT, .revents = 0});
    if (::poll(waiting.data(), waiting.size(), timeout) <= 0) return {};
    for (std::size_t i = waiting.size(); i-- > 0;) {
      if (waiting[i].revents == 0) continue;
      int error = 0;
      socklen_t size = sizeof error;
      ::getsockopt(waiting[i].fd, SOL_SOCKET, SO_ERROR, &error, &size);
      if (error == 0) return std::move(running_[i]);
      last_error_ = error;
      running_.erase(running_.begin() + static_cast<std::ptrdiff_t>(i));
    }
    return {};
  }

  UniqueFd take_last() { return std::move(running_.back()); }
  bool nothing_running() const { return running_.empty(); }
  int last_error() const { return last_error_; }

 private:
  std::vector<UniqueFd> running_;
  int last_error_ = ETIMEDOUT;
};

}  // namespace

std::expected<ResolvedHost, std::string> ResolvedHost::look_up(const std::string& host, std::uint16_t port) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_NUMERICSERV;
  addrinfo* list = nullptr;
  const int status = ::getaddrinfo(host.c_str(), std::to_string(port).c_str(), &hints, &list);
  if (status != 0) {
    return std::unexpected("the name " + host + " could not be resolved: " + ::gai_strerror(status));
  }
  return ResolvedHost{list};
}

std::string ResolvedHost::text() const {
  std::string text;
  for (const addrinfo* each = first(); each != nullptr; each = each->ai_next) {
    char address[INET6_ADDRSTRLEN + 1 + IF_NAMESIZE];
    if (::getnameinfo(each->ai_addr, each->ai_addrlen, address, sizeof address, nullptr, 0, NI_NUMERICHOST) !=
        0)
      continue;
    text.append(text.empty() ? "" : ", ").append(address);
  }
  return text;
}

int poll_timeout(const common::Clock& clock, BootTime deadline) {
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - clock.now());
  return static_cast<int>(std::clamp<std::int64_t>(left.count(), 0, 1'000'000'000));
}

std::expected<UniqueFd, std::string> connect_to(const std::string& host, std::uint16_t port,
                                                const common::Clock& clock,
                                                common::BootClock::duration connect_timeout,
                                                BootTime deadline) {
  const auto addresses = ResolvedHost::look_up(host, port);
  if (!addresses) return std::unexpected(addresses.error());
  return connect_to(*addresses, host + " port " + std::to_string(port), clock, connect_timeout, deadline);
}

std::expected<UniqueFd, std::string> connect_to(const ResolvedHost& host, const std::string& where,
                                                const common::Clock& clock,
                                                common::BootClock::duration connect_timeout,
                                                BootTime deadline) {
  deadline = std::min(deadline, clock.now() + connect_timeout);
  Race race;
  const addrinfo* next = host.first();
  auto next_start = clock.now();
  while (next != nullptr || !race.nothing_running()) {
    if (next != nullptr && (race.nothing_running() || clock.now() >= next_start)) {
      if (race.start(*next)) return race.take_last();
      next = next->ai_next;
      next_start = clock.now() + attempt_delay;
      continue;
    }
    if (clock.now() >= deadline) {
      return std::unexpected(where + " did not accept a connection in time");
    }
    const auto until = next != nullptr ? std::min(next_start, deadline) : deadline;
    if (auto connected = race.wait(poll_timeout(clock, until))) return connected;
  }
  return std::unexpected("no connection to " + where + ": " +
                         std::generic_category().message(race.last_error()));
}

}  // namespace grantd::daemon
