// When a request is sent twice, and what that looks like from both sides: rejected tokens and stale
// connections.
#include <doctest/doctest.h>

#include "tests/unit/proxy/proxy_fixture.hpp"

namespace grantd::tests {
namespace {

constexpr std::string_view refusal =
    "HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Bearer\r\nContent-Length: 4\r\n\r\nstop";

/// Accepts every token but those named, and keeps what it got.
struct Guard {
  explicit Guard(std::string refused_token) : refused(std::move(refused_token)) {}
  std::string refused;
  std::mutex mutex;
  std::vector<std::string> received;

  ScriptedApi::Script script() {
    return [this](BlockingSocket& connection, int) {
      while (true) {
        const auto message = connection.read_message();
        if (message.empty()) return;
        {
          const std::lock_guard lock{mutex};
          received.push_back(message);
        }
        connection.send(has(message, refused) ? refusal : ok);
      }
    };
  }
  std::vector<std::string> all() {
    const std::lock_guard lock{mutex};
    return received;
  }
};

}  // namespace

TEST_CASE("proxy: a 401 renews the token and the request is sent once more, on the same connection") {
  Guard guard{"token-1\r\n"};
  ScriptedApi api{guard.script()};
  ProxyFixture fixture{api.port()};
  const auto answer = fixture.call("POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nbody");
  CHECK(answer == "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nGrantd-Retried: 401\r\n\r\nok");
  const auto received = guard.all();
  REQUIRE(received.size() == 2);
  CHECK(has(received[0], "Bearer token-1\r\n\r\nbody"));
  CHECK(has(received[1], "Bearer token-2\r\n\r\nbody"));
  CHECK(api.connections() == 1);
  CHECK(fixture.retries("401") == 1);
  CHECK(fixture.count(200) == 1);
  CHECK(fixture.count(401) == 0);
}

TEST_CASE("proxy: many callers that meet the same 401 cause one renewal") {
  Guard guard{"token-1\r\n"};
  ScriptedApi api{guard.script()};
  ProxyFixture fixture{api.port()};
  std::vector<BlockingSocket> callers;
  for (int i = 0; i < 30; ++i) callers.push_back(fixture.caller());
  for (auto& caller : callers) caller.send(get);
  for (auto& caller : callers) CHECK(has(caller.read_message(), "200 OK"));
  CHECK(fixture.tokens->fetched == 2);
}

TEST_CASE("proxy: a second 401 is the answer with its head and body") {
  Guard guard{"Bearer"};
  ScriptedApi api{guard.script()};
  ProxyFixture fixture{api.port()};
  CHECK(fixture.call(get) ==
        "HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Bearer\r\nContent-Length: 4\r\nGrantd-Retried: "
        "401\r\n\r\nstop");
  CHECK(guard.all().size() == 2);
  CHECK(fixture.tokens->fetched == 2);
}

TEST_CASE("proxy: where the renewal brings the same token the 401 is the answer, unrepeated") {
  Guard guard{"Bearer"};
  ScriptedApi api{guard.script()};
  ProxyFixture fixture{api.port()};
  fixture.tokens->same_again = true;
  const auto answer = fixture.call(get);
  CHECK(has(answer, "401 Unauthorized"));
  CHECK(answer.ends_with("stop"));
  CHECK_FALSE(has(answer, "Grantd-Retried"));
  CHECK(guard.all().size() == 1);
}

TEST_CASE("proxy: where the renewal fails the 401 is the answer with its body") {
  Guard guard{"Bearer"};
  ScriptedApi api{guard.script()};
  ProxyFixture fixture{api.port()};
  fixture.call("GET / HTTP/1.1\r\nHost: a\r\nGrantd-Assertion: x\r\n\r\n");
  CHECK(guard.all().size() == 1);  // an assertion's token is not renewed
  CHECK(has(fixture.call(get), "Grantd-Retried: 401"));
  fixture.tokens->fail = true;
  const auto answer = fixture.call(get);
  CHECK(has(answer, "401 Unauthorized"));
  CHECK(answer.ends_with("stop"));
}

TEST_CASE("proxy: 403 and a switched-off retry never renew") {
  ScriptedApi api{[](BlockingSocket& connection, int) {
    while (!connection.read_message().empty()) {
      connection.send(
          "HTTP/1.1 403 Forbidden\r\nWWW-Authenticate: Bearer "
          "error=\"insufficient_scope\"\r\nContent-Length: 0\r\n\r\n");
    }
  }};
  ProxyFixture fixture{api.port()};
  CHECK(has(fixture.call(get), "403 Forbidden"));
  CHECK(fixture.tokens->fetched == 1);

  Guard guard{"Bearer"};
  ScriptedApi strict{guard.script()};
  ProxyFixture patient{strict.port(), [](auto& settings) { settings.retry_on_401 = false; }};
  CHECK(has(patient.call(get), "401 Unauthorized"));
  CHECK(patient.tokens->fetched == 1);
}

TEST_CASE("proxy: a body over max_replay_body is not sent again, but the next call has a new token") {
  Guard guard{"token-1\r\n"};
  ScriptedApi api{guard.script()};
  ProxyFixture fixture{api.port(), [](auto& settings) { settings.max_replay_body = 8; }};
  const auto answer = fixture.call("POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n123456789");
  CHECK(has(answer, "401 Unauthorized"));
  CHECK(answer.ends_with("stop"));
  CHECK(guard.all().size() == 1);
  CHECK(fixture.comes_true([&] { return fixture.tokens->fetched == 2; }));
  CHECK(fixture.call(get) == ok);
}

TEST_CASE("proxy: a 401 before the body is complete sends what came and goes on with the rest") {
  std::promise<void> refused;
  std::string received;
  ScriptedApi api{[&](BlockingSocket& connection, int index) {
    if (index == 0) {
      connection.read_head();
      connection.read(5);
      connection.send(refusal);
      connection.sees_close();
      return;
    }
    connection.read_head();
    refused.set_value();
    received = connection.read(11);
    connection.send(ok);
    connection.sees_close();
  }};
  {
    ProxyFixture fixture{api.port()};
    auto caller = fixture.caller();
    caller.send("POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 11\r\n\r\nfirst");
    refused.get_future().wait();
    caller.send("second");
    CHECK(has(caller.read_message(), "Grantd-Retried: 401"));
  }
  CHECK(received == "firstsecond");
}

TEST_CASE("proxy: a chunked body is sent again as chunks, its end included") {
  std::mutex mutex;
  std::vector<std::string> bodies;
  ScriptedApi api{[&](BlockingSocket& connection, int) {
    for (int i = 0; i < 2; ++i) {
      if (connection.read_head().empty()) return;
      const auto body = connection.read_until("0\r\n\r\n");
      const std::lock_guard lock{mutex};
      bodies.push_back(body);
      connection.send(bodies.size() == 1 ? refusal : ok);
    }
  }};
  ProxyFixture fixture{api.port()};
  const auto answer = fixture.call(
      "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n1\r\nc\r\n0\r\n\r\n");
  CHECK(has(answer, "Grantd-Retried: 401"));
  const std::lock_guard lock{mutex};
  REQUIRE(bodies.size() == 2);
  CHECK(bodies[1] == "3\r\nabc\r\n0\r\n\r\n");
}

TEST_CASE("proxy: a kept connection serves the next request, of whichever caller") {
  Guard guard{"no such token"};
  ScriptedApi api{guard.script()};
  ProxyFixture fixture{api.port()};
  for (int i = 0; i < 5; ++i) CHECK(fixture.call(get) == ok);
  CHECK(api.connections() == 1);
}

TEST_CASE("proxy: a kept connection that the API closed meanwhile is replaced without the caller noticing") {
  std::promise<void> closed;
  ScriptedApi api{[&](BlockingSocket& connection, int index) {
    connection.read_message();
    connection.send(ok);
    if (index > 0) return;
    connection.close();
    closed.set_value();
  }};
  ProxyFixture fixture{api.port()};
  CHECK(fixture.call(get) == ok);
  closed.get_future().wait();
  CHECK(fixture.call("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nx") == ok);
  CHECK(api.connections() == 2);
}

TEST_CASE(
    "proxy: a kept connection that breaks under a request is replaced for GET, and unreachable for POST") {
  ScriptedApi api{[&](BlockingSocket& connection, int) {
    connection.read_message();
    connection.send(ok);
    connection.read_message();  // and closes without an answer
  }};
  ProxyFixture fixture{api.port()};
  CHECK(fixture.call(get) == ok);
  CHECK(fixture.call(get) == ok);
  CHECK(fixture.retries("connection") == 1);
  CHECK(api.connections() == 2);
  CHECK(has(fixture.call("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nx"),
            "Grantd-Error: api_unreachable"));
  CHECK(api.connections() == 2);
}

TEST_CASE("proxy: a new connection that breaks is not tried again") {
  ScriptedApi api{[](BlockingSocket& connection, int) { connection.read_message(); }};
  ProxyFixture fixture{api.port()};
  CHECK(has(fixture.call(get), "api_unreachable"));
  CHECK(api.connections() == 1);
}

TEST_CASE("proxy: connections are kept unless the API's definition changes") {
  Guard guard{"no such token"};
  ScriptedApi api{guard.script()};
  ProxyFixture fixture{api.port()};
  CHECK(fixture.call(get) == ok);
  fixture.on_loop([&] { fixture.catalog.now = std::make_shared<daemon::Catalog>(*fixture.catalog.now); });
  CHECK(fixture.call(get) == ok);
  CHECK(api.connections() == 1);
  fixture.reload([](auto& settings) { settings.response_timeout = std::chrono::seconds{1}; });
  CHECK(fixture.call(get) == ok);
  CHECK(api.connections() == 2);
}

TEST_CASE("proxy: an API that announces a short keep-alive is not given the next request") {
  ScriptedApi api{[](BlockingSocket& connection, int) {
    connection.read_message();
    connection.send("HTTP/1.1 200 OK\r\nContent-Length: 0\r\nKeep-Alive: timeout=1\r\n\r\n");
    connection.sees_close();
  }};
  ProxyFixture fixture{api.port()};
  fixture.call(get);
  fixture.call(get);
  CHECK(api.connections() == 2);
}

TEST_CASE("proxy: shutting down breaks off what is under way") {
  std::promise<bool> closed;
  ScriptedApi api{[&](BlockingSocket& connection, int) {
    connection.read_message();
    connection.send("HTTP/1.1 200 OK\r\n\r\nfirst");
    closed.set_value(connection.sees_close());
  }};
  ProxyFixture fixture{api.port()};
  auto caller = fixture.caller();
  caller.send(get);
  caller.read_until("first");
  fixture.on_loop([&] { fixture.proxy->shut_down(); });
  CHECK(closed.get_future().get());
  CHECK_FALSE(caller.read_to_end().ends_with("0\r\n\r\n"));
}

}  // namespace grantd::tests
