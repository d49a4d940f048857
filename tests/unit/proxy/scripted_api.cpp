// Plain blocking sockets on threads: a script reads like the conversation it is.
#include "tests/unit/proxy/scripted_api.hpp"

#include <arpa/inet.h>
#include <poll.h>
#include <sys/socket.h>

#include <array>
#include <system_error>

namespace grantd::tests {
namespace {

constexpr int deadline_ms = 10'000;
constexpr int moment_ms = 300;

bool ready(int fd, short events, int timeout_ms) {
  pollfd waiting{.fd = fd, .events = events, .revents = 0};
  return ::poll(&waiting, 1, timeout_ms) == 1;
}

}  // namespace

BlockingSocket::BlockingSocket(common::UniqueFd fd) : fd_(std::move(fd)) {}

bool BlockingSocket::fill() {
  if (!fd_ || !ready(fd_.get(), POLLIN, deadline_ms)) return false;
  std::array<char, 64 * 1024> bytes;
  const ssize_t got = ::recv(fd_.get(), bytes.data(), bytes.size(), 0);
  if (got <= 0) return false;
  input_.append(bytes.data(), static_cast<std::size_t>(got));
  return true;
}

std::string BlockingSocket::read_until(std::string_view end) {
  while (true) {
    if (const auto at = input_.find(end); at != std::string::npos) return read(at + end.size());
    if (!fill()) return std::exchange(input_, {});
  }
}

std::string BlockingSocket::read_head() { return read_until("\r\n\r\n"); }

std::string BlockingSocket::read(std::size_t size) {
  while (input_.size() < size && fill()) {
  }
  const std::string front = input_.substr(0, size);
  input_.erase(0, front.size());
  return front;
}

std::string BlockingSocket::read_message() {
  std::string message = read_head();
  constexpr std::string_view field = "Content-Length: ";
  if (const auto at = message.find(field); at != std::string::npos) {
    message += read(std::stoul(message.substr(at + field.size())));
  }
  return message;
}

std::string BlockingSocket::read_to_end() {
  while (fill()) {
  }
  return std::exchange(input_, {});
}

std::string BlockingSocket::read_some() {
  if (input_.empty()) fill();
  return std::exchange(input_, {});
}

bool BlockingSocket::send(std::string_view bytes) {
  while (!bytes.empty()) {
    if (!ready(fd_.get(), POLLOUT, deadline_ms)) return false;
    const ssize_t sent = ::send(fd_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent < 0) return false;
    bytes.remove_prefix(static_cast<std::size_t>(sent));
  }
  return true;
}

std::size_t BlockingSocket::send_until_stuck(std::size_t at_most) {
  const std::string piece(64 * 1024, 'x');
  std::size_t total = 0;
  while (total < at_most && ready(fd_.get(), POLLOUT, moment_ms)) {
    const ssize_t sent = ::send(fd_.get(), piece.data(), piece.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent < 0) break;
    total += static_cast<std::size_t>(sent);
  }
  return total;
}

bool BlockingSocket::sees_close() {
  if (!ready(fd_.get(), POLLIN | POLLRDHUP, deadline_ms)) return false;
  char byte = 0;
  return ::recv(fd_.get(), &byte, 1, MSG_PEEK | MSG_DONTWAIT) <= 0;
}

void BlockingSocket::stop_sending() { ::shutdown(fd_.get(), SHUT_WR); }

ScriptedApi::ScriptedApi(Script script)
    : script_(std::move(script)), listener_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  if (::bind(listener_.get(), reinterpret_cast<sockaddr*>(&address), size) != 0 ||
      ::listen(listener_.get(), 64) != 0 ||
      ::getsockname(listener_.get(), reinterpret_cast<sockaddr*>(&address), &size) != 0) {
    throw std::system_error(errno, std::system_category(), "listener");
  }
  port_ = ntohs(address.sin_port);
  acceptor_ = std::thread([this] { accept_all(); });
}

ScriptedApi::~ScriptedApi() {
  ::shutdown(listener_.get(), SHUT_RDWR);
  acceptor_.join();
  for (std::thread& each : scripts_) each.join();
}

void ScriptedApi::accept_all() {
  while (true) {
    common::UniqueFd fd{::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC)};
    if (!fd) return;
    const int index = connections_++;
    scripts_.emplace_back(
        [this, index, connection = BlockingSocket{std::move(fd)}]() mutable { script_(connection, index); });
  }
}

}  // namespace grantd::tests
