#include <doctest/doctest.h>

#include <semaphore>

#include "daemon/http/httplib_transport.hpp"
#include "tests/unit/proxy/scripted_api.hpp"
#include "tests/unit/proxy/tls_api.hpp"

using namespace std::chrono_literals;
using grantd::common::Secret;
using grantd::common::SystemClock;
using grantd::daemon::HttplibTransport;
using grantd::daemon::HttpRequest;
using grantd::daemon::HttpResponse;
using grantd::daemon::Loop;
using grantd::daemon::TransportError;
using grantd::daemon::TransportOptions;
using grantd::daemon::Workers;
using grantd::tests::BlockingSocket;
using grantd::tests::ScriptedApi;
using grantd::tests::TestCertificate;
using grantd::tests::TlsApiConnection;
using Kind = TransportError::Kind;
using Outcome = std::expected<HttpResponse, TransportError>;

namespace {

constexpr const char* small_answer = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}";

HttpRequest request_to(const std::string& host, std::uint16_t port, bool tls = false) {
  HttpRequest request;
  request.url = {.text = {}, .tls = tls, .host = host, .port = port, .path = "/token", .query = {}};
  request.body = Secret{"grant_type=client_credentials"};
  request.content_type = "application/x-www-form-urlencoded";
  return request;
}

// A loop, its workers and one exchange on them.
struct TransportFixture {
  SystemClock clock;
  Loop loop{clock};
  Workers workers{2, 2};
  HttplibTransport transport{loop, workers, clock};

  Outcome send(HttpRequest request, std::chrono::milliseconds time = 5s, TransportOptions options = {}) {
    if (options.connect_timeout == 0ms) options.connect_timeout = 3s;
    std::optional<Outcome> outcome;
    transport.send(std::move(request), std::move(options), clock.now() + time, [&](Outcome result) {
      outcome = std::move(result);
      loop.stop();
    });
    loop.run();
    return std::move(*outcome);
  }
  // What becomes of an exchange whose server answers `bytes` and closes.
  Outcome answer(const std::string& bytes) {
    ScriptedApi server{[&](BlockingSocket& connection, int) {
      connection.read_message();
      connection.send(bytes);
    }};
    return send(request_to("127.0.0.1", server.port()));
  }
  ~TransportFixture() {
    while (!workers.idle()) std::this_thread::yield();
  }
};

Kind kind_of(const Outcome& outcome) {
  REQUIRE_FALSE(outcome.has_value());
  return outcome.error().kind;
}

}  // namespace

TEST_CASE("transport: request and response pass whole") {
  std::string seen;
  ScriptedApi server{[&](BlockingSocket& connection, int) {
    seen = connection.read_message();
    connection.send("HTTP/1.1 400 Bad Request\r\nX-Reason: a%0d%0ab\r\nContent-Length: 5\r\n\r\nhello");
  }};
  TransportFixture f;
  HttpRequest request = request_to("127.0.0.1", server.port());
  request.url.query = "a=b%20c";
  request.headers = {{"Accept", "application/json"}};
  request.authorization = Secret{"Basic eDp5"};
  const auto response = f.send(std::move(request));
  REQUIRE(response.has_value());
  CHECK(response->status == 400);
  CHECK(response->header("x-reason") == "a%0d%0ab");
  CHECK(response->body.reveal() == "hello");
  CHECK(seen.starts_with("POST /token?a=b%20c HTTP/1.1\r\n"));
  CHECK(seen.find("\r\nHost: 127.0.0.1:" + std::to_string(server.port()) + "\r\n") != std::string::npos);
  CHECK(seen.find("\r\nAccept: application/json\r\n") != std::string::npos);
  CHECK(seen.find("\r\nAuthorization: Basic eDp5\r\n") != std::string::npos);
  CHECK(seen.find("\r\nContent-Type: application/x-www-form-urlencoded\r\n") != std::string::npos);
  CHECK(seen.ends_with("\r\n\r\ngrant_type=client_credentials"));
}

TEST_CASE("transport: chunked and close-delimited bodies are read") {
  TransportFixture f;
  const auto chunked =
      f.answer("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\n{\"a\r\n4\r\n\":1}\r\n0\r\n\r\n");
  REQUIRE(chunked.has_value());
  CHECK(chunked->body.reveal() == "{\"a\":1}");
  const auto until_close = f.answer("HTTP/1.1 200 OK\r\n\r\n{}");
  REQUIRE(until_close.has_value());
  CHECK(until_close->body.reveal() == "{}");
}

TEST_CASE("transport: responses without a body end with their head") {
  TransportFixture f;
  for (const char* status : {"204 No Content", "304 Not Modified"}) {
    ScriptedApi server{[&](BlockingSocket& connection, int) {
      connection.read_message();
      connection.send(std::string{"HTTP/1.1 "} + status + "\r\nContent-Type: text/plain\r\n\r\n");
      connection.read_to_end();
    }};
    const auto response = f.send(request_to("127.0.0.1", server.port()));
    REQUIRE(response.has_value());
    CHECK(response->status == std::stoi(status));
    CHECK(response->body.empty());
  }
}

TEST_CASE("transport: a compressed body is left as it is") {
  TransportFixture f;
  const auto response =
      f.answer("HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 3\r\n\r\n\x1f\x8b\x08");
  REQUIRE(response.has_value());
  CHECK(response->body.reveal() == "\x1f\x8b\x08");
}

TEST_CASE("transport: a long header line is no obstacle, a head over 64 KiB is a bad response") {
  TransportFixture f;
  const auto head = [](std::size_t size) {
    return "HTTP/1.1 200 OK\r\nSet-Cookie: " + std::string(size, 'c') + "\r\nContent-Length: 2\r\n\r\n{}";
  };
  const auto response = f.answer(head(30'000));
  REQUIRE(response.has_value());
  CHECK(response->header("Set-Cookie").size() == 30'000);
  CHECK(kind_of(f.answer(head(80'000))) == Kind::bad_response);
}

TEST_CASE("transport: informational responses are not taken for the answer") {
  TransportFixture f;
  const auto response = f.answer(
      std::string{"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n"} + small_answer);
  REQUIRE(response.has_value());
  CHECK(response->status == 200);
  CHECK(response->body.reveal() == "{}");
}

TEST_CASE("transport: a redirect is an answer and is not followed") {
  TransportFixture f;
  const auto response =
      f.answer("HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/elsewhere\r\nContent-Length: 0\r\n\r\n");
  REQUIRE(response.has_value());
  CHECK(response->status == 302);
}

TEST_CASE("transport: what is not valid HTTP is a bad response") {
  TransportFixture f;
  CHECK(kind_of(f.answer("SSH-2.0-server\r\n\r\n")) == Kind::bad_response);
  CHECK(kind_of(f.answer("HTTP/1.1 200 OK\nContent-Length: 2\n\n{}\r\n\r\n")) == Kind::bad_response);
  CHECK(kind_of(f.answer("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}")) ==
        Kind::bad_response);
}

TEST_CASE("transport: endless headers are cut off") {
  ScriptedApi server{[](BlockingSocket& connection, int) {
    connection.read_message();
    connection.send("HTTP/1.1 200 OK\r\n");
    while (connection.send("X-Filler: " + std::string(1000, 'x') + "\r\n")) {
    }
  }};
  TransportFixture f;
  CHECK(kind_of(f.send(request_to("127.0.0.1", server.port()))) == Kind::bad_response);
}

TEST_CASE("transport: a body over 1 MiB is cut off, whatever length was announced") {
  TransportFixture f;
  CHECK(f.answer("HTTP/1.1 200 OK\r\n\r\n" + std::string(1 << 20, ' ')).has_value());
  CHECK(kind_of(f.answer("HTTP/1.1 200 OK\r\n\r\n" + std::string((1 << 20) + 1, ' '))) == Kind::bad_response);
}

TEST_CASE("transport: a connection that breaks off is no answer") {
  TransportFixture f;
  CHECK(kind_of(f.answer("")) == Kind::unreachable);
  CHECK(kind_of(f.answer("HTTP/1.1 200 OK\r\nContent-Le")) == Kind::unreachable);
  CHECK(kind_of(f.answer("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n{}")) == Kind::unreachable);
}

TEST_CASE("transport: nobody listening is told with host and port") {
  std::uint16_t port = 0;
  {
    port = ScriptedApi{[](BlockingSocket&, int) {}}.port();
  }
  TransportFixture f;
  const auto outcome = f.send(request_to("127.0.0.1", port));
  CHECK(kind_of(outcome) == Kind::unreachable);
  CHECK(outcome.error().detail.find("127.0.0.1 port " + std::to_string(port)) != std::string::npos);
}

TEST_CASE("transport: a name that cannot be resolved is told") {
  // A label longer than any name server may hold is refused without asking one.
  const std::string host = std::string(64, 'a') + ".invalid";
  TransportFixture f;
  const auto outcome = f.send(request_to(host, 80));
  CHECK(kind_of(outcome) == Kind::unreachable);
  CHECK(outcome.error().detail.find(host) != std::string::npos);
}

TEST_CASE("transport: a host whose first address refuses is reached at the next") {
  ScriptedApi server{[](BlockingSocket& connection, int) {
    connection.read_message();
    connection.send(small_answer);
  }};
  TransportFixture f;
  CHECK(f.send(request_to("localhost", server.port())).has_value());  // ::1 first where there is IPv6
}

TEST_CASE("transport: the deadline holds against a server that drips") {
  ScriptedApi server{[](BlockingSocket& connection, int index) {
    connection.read_message();
    if (index == 0) connection.send("HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n");
    while (connection.send("x")) std::this_thread::yield();
  }};
  TransportFixture f;
  for (const char* part : {"body", "head"}) {
    CAPTURE(part);
    const auto begun = f.clock.now();
    const auto kind = kind_of(f.send(request_to("127.0.0.1", server.port()), 200ms));
    CHECK((kind == Kind::timed_out || kind == Kind::bad_response));
    CHECK(f.clock.now() - begun < 2s);
  }
}

TEST_CASE("transport: the deadline holds against a server that is silent") {
  ScriptedApi server{[](BlockingSocket& connection, int) {
    while (!connection.read_some().empty()) {
    }
  }};
  TransportFixture f;
  const auto begun = f.clock.now();
  CHECK(kind_of(f.send(request_to("127.0.0.1", server.port()), 200ms)) == Kind::timed_out);
  CHECK(f.clock.now() - begun < 2s);
}

TEST_CASE("transport: the deadline holds against a server that never reads") {
  std::binary_semaphore ended{0};
  ScriptedApi server{[&](BlockingSocket&, int) { ended.acquire(); }};
  TransportFixture f;
  auto request = request_to("127.0.0.1", server.port());
  request.body = Secret{std::string(std::size_t{32} << 20, 'x')};
  const auto begun = f.clock.now();
  CHECK(kind_of(f.send(std::move(request), 200ms)) == Kind::timed_out);
  CHECK(f.clock.now() - begun < 2s);
  ended.release();
}

TEST_CASE("transport: the deadline holds where every worker is busy") {
  ScriptedApi server{[](BlockingSocket& connection, int) {
    while (!connection.read_some().empty()) {
    }
  }};
  TransportFixture f;
  int ended = 0;
  for (int i = 0; i < 5; ++i) {
    f.transport.send(request_to("127.0.0.1", server.port()), {.connect_timeout = 1s, .tls = {}},
                     f.clock.now() + 200ms, [&](Outcome outcome) {
                       CHECK(kind_of(outcome) == Kind::timed_out);
                       if (++ended == 5) f.loop.stop();
                     });
  }
  const auto begun = f.clock.now();
  f.loop.run();
  CHECK(f.clock.now() - begun < 2s);
}

TEST_CASE("transport: a server is trusted by the CA file and the name it is asked by") {
  TestCertificate certificate{"IP:127.0.0.1"};
  ScriptedApi server{[&](BlockingSocket& connection, int) {
    TlsApiConnection tls{certificate, connection.fd()};
    if (!tls.accepted()) return;
    tls.read_message();
    tls.send(small_answer);
    tls.send_close();
  }};
  TransportFixture f;
  TransportOptions options{.connect_timeout = 3s, .tls = {.ca_file = certificate.file()}};
  for (int i = 0; i < 2; ++i) {  // the second time with a kept context
    const auto response = f.send(request_to("127.0.0.1", server.port(), true), 5s, options);
    REQUIRE(response.has_value());
    CHECK(response->body.reveal() == "{}");
  }
  CHECK(kind_of(f.send(request_to("localhost", server.port(), true), 5s, options)) == Kind::unreachable);
  CHECK(kind_of(f.send(request_to("127.0.0.1", server.port(), true))) == Kind::unreachable);
}

TEST_CASE("transport: a CA file that cannot be read is a matter of configuration") {
  TransportFixture f;
  TransportOptions options{.connect_timeout = 3s, .tls = {.ca_file = "/nonexistent/ca.pem"}};
  const auto outcome = f.send(request_to("127.0.0.1", 1, true), 5s, options);
  CHECK(kind_of(outcome) == Kind::misconfigured);
  CHECK(outcome.error().detail.find("/nonexistent/ca.pem") != std::string::npos);
}

TEST_CASE("transport: a TLS handshake that never ends is over at the deadline") {
  ScriptedApi server{[](BlockingSocket& connection, int) {
    while (!connection.read_some().empty()) {
    }
  }};
  TransportFixture f;
  const auto begun = f.clock.now();
  CHECK(kind_of(f.send(request_to("127.0.0.1", server.port(), true), 200ms)) == Kind::timed_out);
  CHECK(f.clock.now() - begun < 2s);
}
