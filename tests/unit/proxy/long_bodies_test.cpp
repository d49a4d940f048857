// Bodies that are longer than any buffer; those of known length are moved by the kernel.
#include <doctest/doctest.h>
#include <sys/socket.h>

#include "tests/unit/proxy/proxy_fixture.hpp"

namespace grantd::tests {

TEST_CASE("proxy: a long body of known length that breaks off or falls silent is cut where it was") {
  constexpr std::string_view head = "HTTP/1.1 200 OK\r\nContent-Length: 8000000\r\n\r\n";
  const std::string part(3'000'000, 'x');
  for (const bool silent : {false, true}) {
    ScriptedApi api{[&](BlockingSocket& connection, int) {
      connection.read_message();
      connection.send(head);
      connection.send(part);
      if (silent) connection.sees_close();
    }};
    ProxyFixture fixture{api.port(),
                         [](auto& settings) { settings.idle_timeout = std::chrono::milliseconds{100}; }};
    auto caller = fixture.caller();
    caller.send(get);
    CHECK(caller.read_to_end() == std::string{head} + part);
    CHECK(fixture.comes_true(
        [&] { return fixture.log.has(silent ? "code=api_timeout" : "code=api_unreachable"); }));
  }
}

TEST_CASE("proxy: urgent data within a long body does not stop it") {
  ScriptedApi api{[&](BlockingSocket& connection, int) {
    connection.read_message();
    connection.send("HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n" + std::string(600'000, 'x'));
    CHECK(::send(connection.fd(), "!", 1, MSG_OOB) == 1);
    connection.send(std::string(400'000, 'y'));
    connection.sees_close();
  }};
  ProxyFixture fixture{api.port(), [](auto& settings) { settings.idle_timeout = std::chrono::seconds{2}; }};
  auto caller = fixture.caller();
  caller.send(get);
  CHECK(has(caller.read_head(), "HTTP/1.1 200 OK\r\n"));
  CHECK(caller.read(1'000'000) == std::string(600'000, 'x') + std::string(400'000, 'y'));
}

TEST_CASE("proxy: after a long body the connections of both sides serve on") {
  const std::string body(1'000'000, 'x');
  ScriptedApi api{[&](BlockingSocket& connection, int) {
    while (!connection.read_message().empty())
      connection.send("HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n" + body);
  }};
  ProxyFixture fixture{api.port()};
  auto caller = fixture.caller();
  for (int i = 0; i < 5; ++i) {
    caller.send(get);
    CHECK(has(caller.read_head(), "HTTP/1.1 200 OK\r\n"));
    CHECK(caller.read(body.size()) == body);
  }
  CHECK(api.connections() == 1);
}

TEST_CASE("proxy: a caller that leaves a long body of known length ends the request to the API") {
  std::promise<bool> ended;
  ScriptedApi api{[&](BlockingSocket& connection, int) {
    connection.read_message();
    connection.send("HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n");
    const std::string piece(100'000, 'x');
    int sent = 0;
    while (sent < 5'000 && connection.send(piece)) ++sent;
    ended.set_value(sent < 5'000);
  }};
  ProxyFixture fixture{api.port()};
  {
    auto caller = fixture.caller();
    caller.send(get);
    caller.read(2'000'000);
  }
  CHECK(ended.get_future().get());
}

TEST_CASE("proxy: many megabytes pass unharmed in both directions at once") {
  constexpr std::size_t size = 20'000'000;
  ScriptedApi api{[&](BlockingSocket& connection, int) {
    connection.read_head();
    connection.send("HTTP/1.1 200 OK\r\nContent-Length: 20000000\r\n\r\n");
    for (std::size_t echoed = 0; echoed < size;) {
      const auto piece = connection.read_some();
      if (piece.empty() || !connection.send(piece)) break;
      echoed += piece.size();
    }
    connection.sees_close();
  }};
  ProxyFixture fixture{api.port()};
  auto caller = fixture.caller();
  std::string body(size, 0);
  for (std::size_t i = 0; i < size; ++i) body[i] = static_cast<char>(i * 31 % 251);
  std::thread sender{[&] {
    caller.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 20000000\r\n\r\n");
    caller.send(body);
  }};
  BlockingSocket reader{common::UniqueFd{::dup(caller.fd())}};
  CHECK(has(reader.read_head(), "200 OK"));
  CHECK(reader.read(size) == body);
  sender.join();
}

}  // namespace grantd::tests
