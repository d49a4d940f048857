// Speaks just enough HTTP to let a test say any wrong thing at any moment, which no real server does.
#include "tests/unit/client_lib/scripted_daemon.hpp"

#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <stdexcept>
#include <utility>

namespace grantd::tests {
namespace {

std::size_t number_after(std::string_view head, std::string_view name) {
  const auto at = head.find(name);
  return at == std::string_view::npos ? 0 : std::stoul(std::string{head.substr(at + name.size(), 20)});
}

}  // namespace

TemporaryDirectory::TemporaryDirectory() {
  std::string name = (std::filesystem::temp_directory_path() / "grantd-test-XXXXXX").native();
  if (!::mkdtemp(name.data())) throw std::runtime_error("mkdtemp");
  path_ = name;
}

TemporaryDirectory::~TemporaryDirectory() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

std::string ReceivedRequest::target() const {
  const auto from = head.find(' ') + 1;
  return head.substr(from, head.find(' ', from) - from);
}

bool ReceivedRequest::has(std::string_view line) const {
  return head.find("\r\n" + std::string{line} + "\r\n") != std::string::npos;
}

bool Peer::fill() {
  char buffer[65536];
  const ssize_t size = ::recv(fd_, buffer, sizeof buffer, 0);
  if (size <= 0) return false;
  unread_.append(buffer, static_cast<std::size_t>(size));
  return true;
}

std::string Peer::read_some(std::size_t most) {
  if (unread_.empty() && !fill()) return {};
  std::string some = unread_.substr(0, most);
  unread_.erase(0, some.size());
  return some;
}

std::optional<ReceivedRequest> Peer::read_head() {
  std::size_t end = 0;
  while ((end = unread_.find("\r\n\r\n")) == std::string::npos) {
    if (!fill()) return std::nullopt;
  }
  ReceivedRequest request{.head = unread_.substr(0, end + 4), .body = {}};
  unread_.erase(0, end + 4);
  return request;
}

std::optional<ReceivedRequest> Peer::read() {
  auto request = read_head();
  if (!request) return std::nullopt;
  const auto take = [this](std::size_t size) -> std::optional<std::string> {
    while (unread_.size() < size) {
      if (!fill()) return std::nullopt;
    }
    std::string taken = unread_.substr(0, size);
    unread_.erase(0, size);
    return taken;
  };
  if (request->has("Transfer-Encoding: chunked")) {
    while (true) {
      while (unread_.find("\r\n") == std::string::npos) {
        if (!fill()) return std::nullopt;
      }
      const auto line = take(unread_.find("\r\n") + 2);
      const auto size = std::stoul(*line, nullptr, 16);
      const auto chunk = take(size + 2);
      if (!chunk) return std::nullopt;
      if (size == 0) return request;
      request->body += chunk->substr(0, size);
    }
  }
  auto body = take(number_after(request->head, "Content-Length: "));
  if (!body) return std::nullopt;
  request->body = std::move(*body);
  return request;
}

bool Peer::send(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t sent = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent <= 0) return false;
    bytes.remove_prefix(static_cast<std::size_t>(sent));
  }
  return true;
}

void Peer::wait_until_closed() {
  while (!read_some().empty()) {
  }
}

ScriptedDaemon::ScriptedDaemon(const std::filesystem::path& socket, Script script)
    : path_(socket), script_(std::move(script)), listener_(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path_.native().copy(address.sun_path, sizeof address.sun_path - 1);
  std::filesystem::remove(path_);
  if (::bind(listener_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 ||
      ::listen(listener_.get(), 128) != 0) {
    throw std::runtime_error("listen");
  }
  acceptor_ = std::thread([this] { accept_all(); });
}

ScriptedDaemon::~ScriptedDaemon() {
  ::shutdown(listener_.get(), SHUT_RDWR);
  acceptor_.join();
  listener_.reset();
  std::filesystem::remove(path_);
  {
    const std::scoped_lock lock(mutex_);
    stopping_ = true;
    for (const auto& socket : sockets_) ::shutdown(socket.get(), SHUT_RDWR);
  }
  for (std::thread& player : players_) player.join();
}

void ScriptedDaemon::accept_all() {
  while (true) {
    common::UniqueFd socket{::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC)};
    if (!socket) return;
    ++connections_;
    const int fd = socket.get();
    const std::scoped_lock lock(mutex_);
    const std::size_t i = sockets_.size();
    sockets_.push_back(std::move(socket));
    players_.emplace_back([this, fd, i] {
      Peer peer(fd);
      script_(peer);
      const std::scoped_lock closing(mutex_);
      sockets_[i].reset();
    });
  }
}

ScriptedDaemon::Script answering(std::function<std::string(const ReceivedRequest&)> answer) {
  return [answer = std::move(answer)](Peer& peer) {
    while (const auto request = peer.read()) {
      if (!peer.send(answer(*request))) return;
    }
  };
}

std::string http_answer(int status, std::string_view body, std::string_view headers) {
  return "HTTP/1.1 " + std::to_string(status) + " Reason\r\n" + std::string{headers} +
         "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + std::string{body};
}

std::string token_answer(std::string_view value, std::string_view version) {
  return http_answer(200,
                     R"({"access_token":")" + std::string{value} +
                         R"(","token_type":"Bearer","expires_in":300,"expires_at":"2030-01-31T12:00:00Z",)" +
                         R"("scope":"catalog read","client":"catalog.client","version":")" +
                         std::string{version} + R"("})",
                     "Content-Type: application/json\r\n");
}

std::string problem_answer(int status, std::string_view code, std::string_view more_members,
                           std::string_view headers) {
  return http_answer(status,
                     R"({"type":"urn:grantd:error:)" + std::string{code} + R"(","title":"t","status":)" +
                         std::to_string(status) + R"(,"detail":"what went wrong","code":")" +
                         std::string{code} + R"(")" + std::string{more_members} + "}",
                     "Content-Type: application/problem+json\r\n" + std::string{headers});
}

}  // namespace grantd::tests
