// What a caller and an API see of each other: refusals, framing, streaming, ends.
#include <doctest/doctest.h>

#include "tests/unit/proxy/proxy_fixture.hpp"

namespace grantd::tests {
namespace {

/// Answers every request of a connection with `response`.
ScriptedApi::Script always(std::string response) {
  return [response](BlockingSocket& api, int) {
    while (!api.read_message().empty()) api.send(response);
  };
}

std::string nothing_expected(const std::function<void(config::ApiSettings&)>& change,
                             std::string_view request) {
  ScriptedApi api{always("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")};
  ProxyFixture fixture{api.port(), change};
  std::string answer = fixture.call(request);
  CHECK(api.connections() == 0);
  return answer;
}

}  // namespace

TEST_CASE(
    "proxy: a request reaches the API with its token, path, query and headers, and comes back as answered") {
  std::string received;
  ScriptedApi api{[&](BlockingSocket& connection, int) {
    received = connection.read_message();
    connection.send("HTTP/1.1 201 Made\r\nContent-Length: 2\r\nX-Answer: 1\r\n\r\nok");
    connection.sees_close();
  }};
  std::string answer;
  {
    ProxyFixture fixture{api.port(), [](auto& settings) { settings.headers = {{"X-Fixed", "yes"}}; }};
    answer = fixture.call(
        "PUT /a%2Fb//c?q=%20 HTTP/1.1\r\nHost: invoices\r\nAuthorization: Bearer mine\r\nConnection: "
        "Authorization, X-Drop\r\n"
        "X-Drop: 1\r\nX-Fixed: no\r\nContent-Length: 4\r\nGrantd-Min-Valid: 1\r\n\r\nbody");
    CHECK(fixture.count(201) == 1);
  }
  CHECK(received == "PUT /base/a%2Fb//c?q=%20 HTTP/1.1\r\nHost: 127.0.0.1:" + std::to_string(api.port()) +
                        "\r\nX-Fixed: yes\r\nContent-Length: 4\r\nAuthorization: Bearer token-1\r\n\r\nbody");
  CHECK(answer == "HTTP/1.1 201 Made\r\nX-Answer: 1\r\nContent-Length: 2\r\n\r\nok");
}

TEST_CASE("proxy: what is forbidden is refused with its code before anything goes to the API") {
  CHECK(has(nothing_expected({}, "GET /a/../b HTTP/1.1\r\nHost: invoices\r\n\r\n"),
            "Grantd-Error: invalid_request\r\n"));
  CHECK(has(
      nothing_expected({}, "GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n"),
      "HTTP/1.1 501 Local"));
  CHECK(has(nothing_expected({}, "GET / HTTP/1.1\r\nHost: a\r\nGrantd-Audience: other\r\n\r\n"),
            "Grantd-Error: access_denied\r\n"));
  CHECK(has(nothing_expected({}, "GET / HTTP/1.1\r\nHost: a\r\nGrantd-Min-Valid: x\r\n\r\n"),
            "HTTP/1.1 400 Local"));
  CHECK(has(nothing_expected([](auto& settings) { settings.access.users.emplace(); }, get),
            "Grantd-Error: access_denied\r\n"));
  const auto traced = nothing_expected({}, "TRACE / HTTP/1.1\r\nHost: a\r\n\r\n");
  CHECK(has(traced, "HTTP/1.1 405 Local"));
  CHECK(has(traced, "Allow: GET"));
}

TEST_CASE("proxy: an API that no definition has is unknown") {
  ScriptedApi api{always("")};
  ProxyFixture fixture{api.port()};
  fixture.on_loop([&] { fixture.catalog.now = std::make_shared<daemon::Catalog>(*fixture.catalog.now); });
  fixture.on_loop([&] { fixture.catalog.now->apis.clear(); });
  CHECK(has(fixture.call(get), "Grantd-Error: unknown_api\r\n"));
}

TEST_CASE("proxy: without a token nothing is sent to the API") {
  ScriptedApi api{always("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")};
  ProxyFixture fixture{api.port()};
  fixture.tokens->fail = true;
  const auto answer = fixture.call(get);
  CHECK(has(answer, "HTTP/1.1 502 Local"));
  CHECK(has(answer, "Grantd-Error: token_request_rejected\r\n"));
  CHECK(api.connections() == 0);
}

TEST_CASE("proxy: an API that does not listen is unreachable, and the log says so once") {
  std::uint16_t port = 0;
  {
    port = ScriptedApi{always("")}.port();
  }
  ProxyFixture fixture{port};
  CHECK(has(fixture.call(get), "Grantd-Error: api_unreachable\r\n"));
  CHECK(has(fixture.call(get), "HTTP/1.1 502 Local"));
  int warnings = 0;
  for (const auto& line : fixture.log.lines()) warnings += line.starts_with("<4>event=api_failed") ? 1 : 0;
  CHECK(warnings == 1);
}

TEST_CASE("proxy: an API whose name does not resolve is an error within the connect timeout") {
  ProxyFixture fixture{1, [](auto& settings) {
                         settings.base_url.host = "nowhere.invalid";
                         settings.connect_timeout = std::chrono::milliseconds{500};
                       }};
  const auto answer = fixture.call(get);
  CHECK((has(answer, "Grantd-Error: api_unreachable\r\n") || has(answer, "Grantd-Error: api_timeout\r\n")));
  CHECK(has(answer, "nowhere.invalid"));
}

TEST_CASE("proxy: an API that answers garbage, too much head or nothing is unreachable") {
  for (const std::string& response :
       {std::string{"SSH-2.0-OpenSSH\r\n\r\n"}, "HTTP/1.1 200 OK\r\nX: " + std::string(70'000, 'x'),
        std::string{}, std::string{"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nx"},
        std::string{"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n"}}) {
    ScriptedApi api{[&](BlockingSocket& connection, int) {
      connection.read_message();
      connection.send(response);
    }};
    ProxyFixture fixture{api.port()};
    CHECK(has(fixture.call(get), "Grantd-Error: api_unreachable\r\n"));
  }
}

TEST_CASE("proxy: an API that is silent runs into the response timeout") {
  ScriptedApi api{[](BlockingSocket& connection, int) {
    connection.read_message();
    connection.sees_close();
  }};
  ProxyFixture fixture{api.port(),
                       [](auto& settings) { settings.response_timeout = std::chrono::milliseconds{50}; }};
  const auto answer = fixture.call(get);
  CHECK(has(answer, "HTTP/1.1 504 Local"));
  CHECK(has(answer, "Grantd-Error: api_timeout\r\n"));
}

TEST_CASE("proxy: a head that drips does not outlive the response timeout") {
  ScriptedApi api{[](BlockingSocket& connection, int) {
    connection.read_message();
    while (connection.send("H") && !connection.sees_close()) {
    }
  }};
  ProxyFixture fixture{api.port(),
                       [](auto& settings) { settings.response_timeout = std::chrono::milliseconds{100}; }};
  CHECK(has(fixture.call(get), "api_timeout"));
}

TEST_CASE("proxy: informational responses are never taken for the answer") {
  ScriptedApi api{
      always("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"
             "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")};
  ProxyFixture fixture{api.port()};
  CHECK(fixture.call(get) == "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
}

TEST_CASE("proxy: HEAD, 204 and 304 have no body, and the connection goes on") {
  ScriptedApi api{[](BlockingSocket& connection, int) {
    connection.read_message();
    connection.send("HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n");
    connection.read_message();
    connection.send("HTTP/1.1 204 No Content\r\n\r\n");
    connection.read_message();
    connection.send("HTTP/1.1 304 Not Modified\r\nContent-Length: 7\r\n\r\n");
    connection.sees_close();
  }};
  ProxyFixture fixture{api.port()};
  auto caller = fixture.caller();
  caller.send("HEAD / HTTP/1.1\r\nHost: a\r\n\r\n");
  CHECK(has(caller.read_head(), "Content-Length: 1000\r\n"));
  caller.send(get);
  CHECK(caller.read_head() == "HTTP/1.1 204 No Content\r\n\r\n");
  caller.send(get);
  CHECK(has(caller.read_head(), "304 Not Modified\r\nContent-Length: 7\r\n"));
  CHECK(api.connections() == 1);
}

TEST_CASE("proxy: chunked and close-delimited bodies reach an HTTP/1.1 caller in chunks") {
  ScriptedApi api{[](BlockingSocket& connection, int index) {
    connection.read_message();
    if (index == 0) {
      connection.send(
          "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\nX-Trailer: "
          "1\r\n\r\n");
      connection.read_message();
      connection.send("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nto the end");
    }
  }};
  ProxyFixture fixture{api.port()};
  auto caller = fixture.caller();
  caller.send(get);
  CHECK(has(caller.read_head(), "Transfer-Encoding: chunked\r\n"));
  CHECK(caller.read_until("0\r\n\r\n") == "5\r\nabcde\r\n0\r\n\r\n");
  caller.send(get);
  caller.read_head();
  CHECK(caller.read_until("0\r\n\r\n") == "a\r\nto the end\r\n0\r\n\r\n");
}

TEST_CASE("proxy: an HTTP/1.0 caller gets a body of unknown length up to the end of the connection") {
  ScriptedApi api{always("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n")};
  ProxyFixture fixture{api.port()};
  auto caller = fixture.caller();
  caller.send("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
  CHECK(caller.read_to_end() == "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nabc");
}

TEST_CASE("proxy: a chunked request body arrives in chunks, whatever its pieces") {
  std::string received;
  ScriptedApi api{[&](BlockingSocket& connection, int) {
    connection.read_head();
    received = connection.read_until("0\r\n\r\n");
    connection.send("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    connection.sees_close();
  }};
  {
    ProxyFixture fixture{api.port()};
    CHECK(has(fixture.call("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: "
                           "chunked\r\n\r\n5\r\nhello\r\n0\r\nT: 1\r\n\r\n"),
              "200 OK"));
  }
  CHECK(received == "5\r\nhello\r\n0\r\n\r\n");
}

TEST_CASE("proxy: a broken-off response ends as one, whatever its framing") {
  for (const std::string response : {"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc",
                                     "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabcde\r\n",
                                     "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nnonsense\r\n"}) {
    ScriptedApi api{[&](BlockingSocket& connection, int) {
      connection.read_message();
      connection.send(response);
    }};
    ProxyFixture fixture{api.port()};
    auto caller = fixture.caller();
    caller.send(get);
    const auto answer = caller.read_to_end();
    CHECK(has(answer, "HTTP/1.1 200 OK\r\n"));
    CHECK_FALSE(has(answer, "0\r\n\r\n\r\n"));
    CHECK_FALSE(answer.ends_with("0\r\n\r\n"));
  }
}

TEST_CASE("proxy: silence within a body breaks the response off") {
  ScriptedApi api{[](BlockingSocket& connection, int) {
    connection.read_message();
    connection.send("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc");
    connection.sees_close();
  }};
  ProxyFixture fixture{api.port(),
                       [](auto& settings) { settings.idle_timeout = std::chrono::milliseconds{50}; }};
  auto caller = fixture.caller();
  caller.send(get);
  CHECK(caller.read_to_end() == "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc");
  CHECK(fixture.comes_true([&] { return fixture.log.has("code=api_timeout"); }));
}

TEST_CASE("proxy: events arrive one by one, before the response ends") {
  std::promise<void> first_seen;
  ScriptedApi api{[&](BlockingSocket& connection, int) {
    connection.read_message();
    connection.send("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\ndata: 1\n\n");
    first_seen.get_future().wait();
    connection.send("data: 2\n\n");
  }};
  ProxyFixture fixture{api.port()};
  auto caller = fixture.caller();
  caller.send(get);
  caller.read_head();
  CHECK(caller.read_until("\n\n\r\n") == "9\r\ndata: 1\n\n\r\n");
  first_seen.set_value();
  CHECK(caller.read_until("0\r\n\r\n") == "9\r\ndata: 2\n\n\r\n0\r\n\r\n");
}

TEST_CASE(
    "proxy: an answer that begins before the request body is complete is passed on, and the body still "
    "arrives") {
  ScriptedApi api{[](BlockingSocket& connection, int) {
    connection.read_head();
    connection.send("HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nea");
    for (int i = 0; i < 4; ++i) connection.send(connection.read(1));
  }};
  ProxyFixture fixture{api.port()};
  auto caller = fixture.caller();
  caller.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\n");
  CHECK(has(caller.read_head(), "200 OK"));
  CHECK(caller.read(2) == "ea");
  caller.send("r");
  CHECK(caller.read(1) == "r");
  caller.send("ly!");
  CHECK(caller.read(3) == "ly!");
}

TEST_CASE("proxy: a final answer to half a body ends the exchange without the other half") {
  ScriptedApi api{[](BlockingSocket& connection, int) {
    connection.read_head();
    connection.send("HTTP/1.1 413 Too Large\r\nContent-Length: 2\r\n\r\nno");
    connection.sees_close();
  }};
  ProxyFixture fixture{api.port()};
  auto caller = fixture.caller();
  caller.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\nhalf");
  CHECK(caller.read_to_end() == "HTTP/1.1 413 Too Large\r\nContent-Length: 2\r\nConnection: close\r\n\r\nno");
}

TEST_CASE("proxy: a caller that reads slowly slows the API down instead of filling memory") {
  std::promise<std::size_t> taken;
  ScriptedApi api{[&](BlockingSocket& connection, int) {
    connection.read_message();
    connection.send("HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n");
    taken.set_value(connection.send_until_stuck(200'000'000));
  }};
  ProxyFixture fixture{api.port()};
  auto caller = fixture.caller();
  caller.send(get);
  CHECK(taken.get_future().get() < 50'000'000);  // what the kernel's buffers hold
}

TEST_CASE("proxy: an API that reads slowly slows the caller down") {
  std::promise<void> enough;
  ScriptedApi api{[&](BlockingSocket& connection, int) {
    connection.read_head();
    enough.get_future().wait();
  }};
  ProxyFixture fixture{api.port()};
  auto caller = fixture.caller();
  caller.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000000\r\n\r\n");
  CHECK(caller.send_until_stuck(200'000'000) < 50'000'000);
  enough.set_value();
}

TEST_CASE("proxy: a caller that goes away ends the request to the API") {
  std::promise<bool> closed;
  ScriptedApi api{[&](BlockingSocket& connection, int) {
    connection.read_message();
    connection.send("HTTP/1.1 200 OK\r\n\r\nfirst");
    closed.set_value(connection.sees_close());
  }};
  ProxyFixture fixture{api.port()};
  {
    auto caller = fixture.caller();
    caller.send(get);
    caller.read_until("first");
  }
  CHECK(closed.get_future().get());
}

TEST_CASE("proxy: a caller that breaks off its body ends the request to the API and hears why") {
  std::promise<std::string> received;
  ScriptedApi api{[&](BlockingSocket& connection, int) { received.set_value(connection.read_to_end()); }};
  ProxyFixture fixture{api.port()};
  auto caller = fixture.caller();
  caller.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nhalf");
  caller.stop_sending();
  CHECK(has(caller.read_to_end(), "Grantd-Error: invalid_request\r\n"));
  CHECK(received.get_future().get().ends_with("half"));
}

}  // namespace grantd::tests
