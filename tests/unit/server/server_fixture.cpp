// The loop runs in the test's own thread: each wait of the test drives it, with a deadline on the real clock.
#include "tests/unit/server/server_fixture.hpp"

#include <doctest/doctest.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <algorithm>
#include <cctype>

namespace grantd::tests {

TemporaryDirectory::TemporaryDirectory() {
  std::string pattern = std::filesystem::temp_directory_path() / "grantd-server-XXXXXX";
  REQUIRE(::mkdtemp(pattern.data()) != nullptr);
  path_ = pattern;
}

TemporaryDirectory::~TemporaryDirectory() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

ServerFixture::ServerFixture(Handler* root)
    : server({loop, metrics, log, [this](const PeerIdentity&) { return caller_is_admin; }}) {
  settings.socket = socket_path();
  auto created = SocketFile::create(settings, log);
  REQUIRE_MESSAGE(created, created.error());
  socket_file = std::make_unique<SocketFile>(std::move(*created));
  server.set_limits(settings);
  server.add_local_socket(socket_file->take_socket(), root != nullptr ? *root : handler);
}

ServerFixture::~ServerFixture() {
  bool stopped = false;
  server.stop(std::chrono::milliseconds{0}, [&] { stopped = true; });
  advance(std::chrono::milliseconds{1});
  until([&] { return stopped; });
  settle();
}

bool ServerFixture::until(const std::function<bool()>& condition) {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds{10};
  while (!condition()) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    loop.turn(std::chrono::milliseconds{5});
  }
  return true;
}

void ServerFixture::settle() {
  for (int i = 0; i < 20; ++i) loop.turn(std::chrono::milliseconds{0});
}

void ServerFixture::advance(std::chrono::milliseconds step) {
  clock.advance(step);
  loop.timers().run_due();
  settle();
}

Caller::Caller(ServerFixture& fixture)
    : fixture_(fixture), socket_(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  fixture.socket_path().native().copy(address.sun_path, sizeof address.sun_path - 1);
  REQUIRE(::connect(socket_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
  fixture.settle();
}

void Caller::send(std::string_view bytes) {
  fixture_.until([&] {
    const ssize_t sent = ::send(socket_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent > 0) bytes.remove_prefix(static_cast<std::size_t>(sent));
    return bytes.empty() || (sent < 0 && errno != EAGAIN);
  });
  fixture_.settle();
}

void Caller::shut_down_sending() {
  ::shutdown(socket_.get(), SHUT_WR);
  fixture_.settle();
}

bool Caller::read_some() {
  char bytes[16384];
  while (!ended_) {
    const ssize_t got = ::recv(socket_.get(), bytes, sizeof bytes, MSG_DONTWAIT);
    if (got < 0 && errno == EAGAIN) return true;
    if (got <= 0) {
      ended_ = true;
    } else {
      received.append(bytes, static_cast<std::size_t>(got));
    }
  }
  return false;
}

Answer Caller::receive(bool to_head) {
  Answer answer;
  std::size_t body_size = 0;
  std::size_t head_size = 0;
  fixture_.until([&] {
    const bool open = read_some();
    head_size = received.find("\r\n\r\n");
    if (head_size == std::string::npos) return !open;
    head_size += 4;
    const auto field = received.substr(0, head_size).find("Content-Length: ");
    body_size = to_head || field == std::string::npos ? 0 : std::stoul(received.substr(field + 16));
    return received.size() >= head_size + body_size || !open;
  });
  if (received.size() < head_size + body_size || head_size < 12 || head_size > received.size()) return answer;
  answer.head = received.substr(0, head_size);
  answer.body = received.substr(head_size, body_size);
  answer.status = std::stoi(received.substr(9, 3));
  received.erase(0, head_size + body_size);
  return answer;
}

bool Caller::is_closed() {
  return fixture_.until([&] { return !read_some(); }) && received.empty();
}

std::string get(std::string_view target, std::string_view more_lines) {
  return "GET " + std::string{target} + " HTTP/1.1\r\nHost: localhost\r\n" + std::string{more_lines} + "\r\n";
}

std::string post(std::string_view target, std::string_view body) {
  return "POST " + std::string{target} +
         " HTTP/1.1\r\nHost: localhost\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" +
         std::string{body};
}

}  // namespace grantd::tests
