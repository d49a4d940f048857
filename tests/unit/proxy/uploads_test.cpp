// Bodies of requests where something happens before they are complete: another attempt, an early answer, a
// caller that waits to be told to go on.
#include <doctest/doctest.h>

#include "tests/unit/proxy/proxy_fixture.hpp"
#include "tests/unit/proxy/tls_api.hpp"

namespace grantd::tests {
namespace {

using namespace std::chrono_literals;

constexpr std::string_view bare_refusal = "HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n";

std::string chunk(std::size_t size) {
  char line[32];
  std::snprintf(line, sizeof line, "%zx\r\n", size);
  return line + std::string(size, 'c') + "\r\n";
}

/// Refuses the token on the first connection once it saw `first` bytes of the body; the second connection's
/// handshake waits until it is let through.
struct TwoAttempts {
  explicit TwoAttempts(std::size_t first) : size(first) {}

  ScriptedApi::Script script() {
    return [this](BlockingSocket& socket, int index) {
      if (index > 0) {
        second_came.set_value();
        may_proceed.get_future().wait();
      }
      TlsApiConnection connection{certificate, socket.fd()};
      if (index == 0) {
        connection.read_until_size(size);
        connection.send(bare_refusal);
        socket.sees_close();
      } else {
        received.set_value(connection.read_to_end("0\r\n\r\n"));
        connection.send(ok);
        socket.sees_close();
      }
    };
  }
  std::function<void(config::ApiSettings&)> settings(std::size_t max_replay_body) {
    return [this, max_replay_body](config::ApiSettings& settings) {
      settings.base_url.tls = true;
      settings.tls.ca_file = certificate.file();
      settings.max_replay_body = max_replay_body;
      settings.response_timeout = 2s;
    };
  }

  const NoSigpipe no_sigpipe;
  const std::size_t size;
  const TestCertificate certificate{"IP:127.0.0.1"};
  std::promise<void> second_came;
  std::promise<void> may_proceed;
  std::promise<std::string> received;
};

constexpr std::string_view chunked_post = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";

}  // namespace

TEST_CASE("uploads: what comes while a second connection is made is not lost, however large it is") {
  TwoAttempts attempts{1000};
  ScriptedApi api{attempts.script()};
  {
    ProxyFixture fixture{api.port(), attempts.settings(4000)};
    auto caller = fixture.caller();
    caller.send(std::string{chunked_post} + chunk(1000));
    attempts.second_came.get_future().wait();
    // More than may be kept: it has to wait for the connection.
    std::thread sender{[&] { caller.send(chunk(100'000) + "0\r\n\r\n"); }};
    fixture.on_loop([] {});
    attempts.may_proceed.set_value();
    CHECK(has(BlockingSocket{common::UniqueFd{::dup(caller.fd())}}.read_message(), "Grantd-Retried: 401"));
    sender.join();
  }
  const auto received = attempts.received.get_future().get();
  CHECK(std::ranges::count(received.substr(received.find("\r\n\r\n")), 'c') == 101'000);
}

TEST_CASE(
    "uploads: a caller that breaks off while a second connection is made hears of it, and the API does") {
  TwoAttempts attempts{1000};
  ScriptedApi api{attempts.script()};
  ProxyFixture fixture{api.port(), attempts.settings(4000)};
  auto caller = fixture.caller();
  caller.send(std::string{chunked_post} + chunk(1000));
  attempts.second_came.get_future().wait();
  caller.send("no chunk at all\r\n");
  caller.stop_sending();
  fixture.on_loop([] {});
  attempts.may_proceed.set_value();
  CHECK(has(caller.read_to_end(), "Grantd-Error: invalid_request\r\n"));
  CHECK_FALSE(attempts.received.get_future().get().ends_with("0\r\n\r\n"));
}

TEST_CASE("uploads: a caller that waits to be told sends nothing until the API says so") {
  std::promise<void> may_continue;
  std::promise<std::string> head;
  ScriptedApi api{[&](BlockingSocket& connection, int) {
    head.set_value(connection.read_head());
    may_continue.get_future().wait();
    connection.send("HTTP/1.1 100 Continue\r\n\r\n");
    connection.read(4);
    connection.send(ok);
    connection.sees_close();
  }};
  ProxyFixture fixture{api.port()};
  auto caller = fixture.caller();
  caller.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n");
  CHECK(has(head.get_future().get(), "\r\nExpect: 100-continue\r\n"));
  bool begun = true;
  fixture.on_loop([&] { begun = fixture.body_was_asked_for; });
  CHECK_FALSE(begun);
  may_continue.set_value();
  CHECK(fixture.comes_true([&] { return fixture.body_was_asked_for.load(); }));
  caller.send("body");
  CHECK(caller.read_message() == ok);
}

TEST_CASE("uploads: an API that never says to go on gets the body after a second") {
  ScriptedApi api{[&](BlockingSocket& connection, int) {
    connection.read_message();
    connection.send(ok);
    connection.sees_close();
  }};
  ProxyFixture fixture{api.port()};
  CHECK(fixture.call("PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\nbody") ==
        ok);
}

TEST_CASE("uploads: a refusal in place of 100 Continue is the answer, and the body is not asked for") {
  ScriptedApi api{[&](BlockingSocket& connection, int) {
    connection.read_head();
    connection.send("HTTP/1.1 413 Content Too Large\r\nContent-Length: 2\r\n\r\nno");
    connection.sees_close();
  }};
  ProxyFixture fixture{api.port()};
  auto caller = fixture.caller();
  caller.send("PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n");
  CHECK(caller.read_to_end() ==
        "HTTP/1.1 413 Content Too Large\r\nContent-Length: 2\r\nConnection: close\r\n\r\nno");
  CHECK_FALSE(fixture.body_was_asked_for);
}

TEST_CASE("uploads: a 401 in place of 100 Continue is repaired for a body of any size") {
  std::atomic<int> heads = 0;
  ScriptedApi api{[&](BlockingSocket& connection, int) {
    const auto head = connection.read_head();
    ++heads;
    if (has(head, "token-1\r\n")) {
      connection.send(bare_refusal);
      connection.sees_close();
      return;
    }
    connection.send("HTTP/1.1 100 Continue\r\n\r\n");
    connection.read(100);
    connection.send(ok);
    connection.sees_close();
  }};
  ProxyFixture fixture{api.port(), [](auto& settings) { settings.max_replay_body = 8; }};
  auto caller = fixture.caller();
  caller.send("PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\nExpect: 100-continue\r\n\r\n");
  REQUIRE(fixture.comes_true([&] { return fixture.body_was_asked_for.load(); }));
  caller.send(std::string(100, 'b'));
  CHECK(has(caller.read_message(), "Grantd-Retried: 401"));
  CHECK(heads == 2);
}

TEST_CASE("uploads: an API that accepts before it has everything still gets the rest") {
  std::promise<std::string> received;
  ScriptedApi api{[&](BlockingSocket& connection, int) {
    connection.read_head();
    connection.send("HTTP/1.1 202 Accepted\r\nContent-Length: 2\r\n\r\nok");
    received.set_value(connection.read(3000));
    connection.read_message();
    connection.send(ok);
    connection.sees_close();
  }};
  ProxyFixture fixture{api.port()};
  auto caller = fixture.caller();
  caller.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3000\r\n\r\n" + std::string(1000, 'b'));
  CHECK(caller.read_message() == "HTTP/1.1 202 Accepted\r\nContent-Length: 2\r\n\r\nok");
  caller.send(std::string(2000, 'b'));
  CHECK(received.get_future().get() == std::string(3000, 'b'));
  caller.send(get);  // both connections are still good
  CHECK(caller.read_message() == ok);
  CHECK(api.connections() == 1);
}

TEST_CASE("uploads: once the request is sent, silence within the answer counts again") {
  ScriptedApi api{[](BlockingSocket& connection, int) {
    connection.read_head();
    connection.send("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n");
    connection.read(4);
    connection.sees_close();
  }};
  ProxyFixture fixture{api.port(), [](auto& settings) { settings.idle_timeout = 50ms; }};
  auto caller = fixture.caller();
  caller.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nbo");
  CHECK(has(caller.read_head(), "200 OK"));
  caller.send("dy");
  CHECK(caller.read_to_end().empty());
  CHECK(fixture.comes_true([&] { return fixture.log.has("code=api_timeout"); }));
}

TEST_CASE("uploads: a response whose connection ends after a hint was not nothing, so nothing is repeated") {
  ScriptedApi api{[](BlockingSocket& connection, int index) {
    connection.read_message();
    if (index > 0) return;
    connection.send(ok);
    connection.read_message();
    connection.send("HTTP/1.1 103 Early Hints\r\n\r\n");
  }};
  ProxyFixture fixture{api.port()};
  CHECK(fixture.call(get) == ok);
  CHECK(has(fixture.call(get), "Grantd-Error: api_unreachable"));
  CHECK(api.connections() == 1);
}

}  // namespace grantd::tests
