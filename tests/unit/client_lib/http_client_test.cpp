#include <doctest/doctest.h>

#include <algorithm>
#include <optional>
#include <stdexcept>
#include <string>

#include "grantd/client.hpp"
#include "tests/unit/client_lib/scripted_daemon.hpp"

using namespace grantd;
using tests::answering;
using tests::code_of;
using tests::error_of;
using tests::http_answer;
using tests::Peer;
using tests::ReceivedRequest;

namespace {

struct ApiFixture {
  explicit ApiFixture(tests::ScriptedDaemon::Script script,
                      std::chrono::milliseconds timeout = std::chrono::seconds{10})
      : daemon(directory / "socket", std::move(script)),
        client(ClientOptions{.socket = directory / "socket", .timeout = timeout}) {}

  tests::TemporaryDirectory directory;
  tests::ScriptedDaemon daemon;
  Client client;
  HttpClient api = client.http("invoices");
};

// A source of `left` characters.
BodySource source_of(std::size_t size, bool known) {
  BodySource source{.read = [left = size](std::span<char> buffer) mutable {
    const auto now = std::min(left, buffer.size());
    std::ranges::fill(buffer.first(now), 'x');
    left -= now;
    return now;
  }};
  if (known) source.size = size;
  return source;
}

}  // namespace

TEST_CASE("http client: requests go to the API by path, whatever slash they begin with") {
  std::string target;
  ApiFixture f(answering([&](const ReceivedRequest& request) {
    target = request.target();
    return http_answer(200, "");
  }));
  f.api.get("test?a=b%20c");
  CHECK(target == "/v1/proxy/invoices/test?a=b%20c");
  f.api.get("/test");
  CHECK(target == "/v1/proxy/invoices/test");
  f.api.get("");
  CHECK(target == "/v1/proxy/invoices/");
}

TEST_CASE("http client: every status of the API is an answer") {
  ApiFixture f(answering([](const ReceivedRequest&) {
    return http_answer(404, "nothing here", "Set-Cookie: a\r\nset-cookie: b\r\nWWW-Authenticate: x\r\n");
  }));
  const Response response = f.api.get("x");
  CHECK(response.status == 404);
  CHECK(response.body == "nothing here");
  CHECK(response.headers.count("SET-COOKIE") == 2);
  CHECK(response.headers.find("www-authenticate")->second == "x");
}

TEST_CASE("http client: what the daemon itself answers is an error") {
  ApiFixture f(answering([](const ReceivedRequest& request) {
    const std::string headers = "Grantd-Error: api_timeout\r\nRetry-After: 3\r\n";
    if (request.method() == "HEAD") return "HTTP/1.1 504 Slow\r\nContent-Length: 99\r\n" + headers + "\r\n";
    return tests::problem_answer(504, "api_timeout", R"(,"api":"invoices")", headers);
  }));
  const auto error = error_of([&] { f.api.get("x"); });
  REQUIRE(error);
  CHECK(error->code() == "api_timeout");
  CHECK(error->http_status() == 504);
  CHECK(error->retry_after() == std::chrono::seconds{3});
  CHECK(std::string{error->what()} == "invoices: what went wrong");
  CHECK(code_of([&] { f.api.head("x"); }) == "api_timeout");
  bool reached = false;
  CHECK(code_of([&] { f.api.send({}, {}, [&](const Response&, std::string_view) { reached = true; }); }) ==
        "api_timeout");
  CHECK_FALSE(reached);
}

TEST_CASE("http client: methods, bodies and content types travel") {
  ReceivedRequest last;
  ApiFixture f(answering([&](const ReceivedRequest& request) {
    last = request;
    return http_answer(200, "");
  }));
  f.api.post("x", "{}");
  CHECK(last.method() == "POST");
  CHECK(last.body == "{}");
  CHECK(last.has("Content-Type: application/json"));
  f.api.put("x", "text", "text/plain");
  CHECK(last.method() == "PUT");
  CHECK(last.has("Content-Type: text/plain"));
  f.api.patch("x");
  CHECK(last.method() == "PATCH");
  CHECK(last.has("Content-Length: 0"));
  CHECK(last.head.find("Content-Type") == std::string::npos);
  f.api.del("x");
  CHECK(last.method() == "DELETE");
  f.api.send({.method = "PROPFIND", .path = "x", .headers = {{"Depth", "1"}, {"If", "a"}, {"If", "b"}}});
  CHECK(last.method() == "PROPFIND");
  CHECK(last.has("Depth: 1"));
  CHECK(last.head.find("If: a\r\nIf: b\r\n") != std::string::npos);
}

TEST_CASE("http client: wishes about the token travel as headers") {
  ReceivedRequest last;
  ApiFixture f(answering([&](const ReceivedRequest& request) {
    last = request;
    return http_answer(200, "");
  }));
  f.api.send({.token = {.force_renewal = true,
                        .scope = "a b",
                        .resource = {"urn:x", "urn:y"},
                        .audience = "aud",
                        .parameters = {{"k", "v&w"}, {"l", "m"}},
                        .assertion = "jwt",
                        .min_valid = std::chrono::seconds{9},
                        .rejected = "v1"}});
  for (const char* line : {"Grantd-Force-Renewal: true", "Grantd-Scope: a b", "Grantd-Resource: urn:x",
                           "Grantd-Resource: urn:y", "Grantd-Audience: aud", "Grantd-Parameters: k=v%26w&l=m",
                           "Grantd-Assertion: jwt", "Grantd-Min-Valid: 9", "Grantd-Rejected: v1"}) {
    CAPTURE(line);
    CHECK(last.has(line));
  }
}

TEST_CASE("http client: what could become another request is refused before anything is sent") {
  ApiFixture f(answering([](const ReceivedRequest&) { return http_answer(200, ""); }));
  const auto refused = [&](const Request& request) {
    return code_of([&] { f.api.send(request); }) == "invalid_request";
  };
  CHECK(refused({.path = "x y"}));
  CHECK(refused({.path = "x\r\nHost: evil"}));
  CHECK(refused({.path = "x#fragment"}));
  CHECK(refused({.path = "caf\xc3\xa9"}));
  CHECK(refused({.path = "https://elsewhere/x"}));
  CHECK(refused({.method = "GET /x HTTP/1.1\r\n"}));
  CHECK(refused({.method = ""}));
  CHECK(refused({.headers = {{"X", "a\r\nY: b"}}}));
  CHECK(refused({.headers = {{"X", std::string("a\0b", 3)}}}));
  CHECK(refused({.headers = {{"X: y", "b"}}}));
  CHECK(refused({.headers = {{"", "b"}}}));
  for (const char* name :
       {"Host", "content-length", "Transfer-Encoding", "CONNECTION", "Grantd-Scope", "grantd-x"}) {
    CAPTURE(name);
    CHECK(refused({.headers = {{name, "1"}}}));
  }
  CHECK(refused({.content_type = "a\nb"}));
  CHECK(refused({.headers = {{"content-type", "a"}}, .content_type = "b"}));
  CHECK(refused({.token = {.scope = "a\nb"}}));
  CHECK(f.daemon.connections() == 0);
}

TEST_CASE("http client: HEAD has no body, and the connection stays in step") {
  ApiFixture f(answering([](const ReceivedRequest& request) -> std::string {
    if (request.method() == "HEAD") return "HTTP/1.1 200 OK\r\nContent-Length: 1234\r\n\r\n";
    return http_answer(200, "body");
  }));
  CHECK(f.api.head("x").headers.find("Content-Length")->second == "1234");
  CHECK(f.api.get("x").body == "body");
  CHECK(f.daemon.connections() == 1);
}

TEST_CASE("http client: a chunked response is put together, one that breaks off is an error") {
  ApiFixture f(answering([](const ReceivedRequest&) -> std::string {
    return "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n";
  }));
  CHECK(f.api.get("x").body == "abcde");
  ApiFixture broken([](Peer& peer) {
    peer.read();
    peer.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n");
  });
  CHECK(code_of([&] { broken.api.get("x"); }) == "api_unreachable");
}

TEST_CASE("http client streaming: both bodies pass through piece by piece") {
  for (const bool known : {true, false}) {
    ApiFixture f(answering([&](const ReceivedRequest& request) {
      CHECK(request.has(known ? "Content-Length: 1000000" : "Transfer-Encoding: chunked"));
      return http_answer(200, request.body, "X: y\r\n");
    }));
    std::size_t received = 0;
    std::size_t largest = 0;
    const Response end = f.api.send({.method = "POST"}, source_of(1'000'000, known),
                                    [&](const Response& head, std::string_view piece) {
                                      CHECK(head.status == 200);
                                      CHECK(head.headers.contains("x"));
                                      received += piece.size();
                                      largest = std::max(largest, piece.size());
                                    });
    CHECK(received == 1'000'000);
    CHECK(largest <= 65536);
    CHECK(end.status == 200);
    CHECK(end.body.empty());
  }
}

TEST_CASE("http client streaming: an API that echoes while it is still being sent to does not block") {
  constexpr std::size_t size = 20'000'000;
  ApiFixture f([](Peer& peer) {
    peer.read_head();
    peer.send("HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(size) + "\r\n\r\n");
    for (std::size_t echoed = 0; echoed < size;) {
      const std::string piece = peer.read_some();
      if (piece.empty() || !peer.send(piece)) return;
      echoed += piece.size();
    }
    peer.wait_until_closed();
  });
  std::size_t received = 0;
  f.api.send({.method = "POST"}, source_of(size, true),
             [&](const Response&, std::string_view piece) { received += piece.size(); });
  CHECK(received == size);
}

TEST_CASE("http client streaming: an early error ends the upload") {
  ApiFixture f([](Peer& peer) {
    if (!peer.read_head()) return;
    peer.send(http_answer(413, "too much"));
    peer.wait_until_closed();
  });
  std::size_t taken = 0;
  std::string body;
  const BodySource endless{.read = [&](std::span<char> buffer) {
    taken += buffer.size();
    std::ranges::fill(buffer, 'x');
    return buffer.size();
  }};
  const Response response = f.api.send({.method = "POST"}, endless,
                                       [&](const Response&, std::string_view piece) { body += piece; });
  CHECK(response.status == 413);
  CHECK(body == "too much");
}

TEST_CASE("http client streaming: pieces arrive while the response is still open") {
  ApiFixture f([](Peer& peer) {
    peer.read();
    peer.send("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\ndata: 1\n\n");
    peer.wait_until_closed();
  });
  struct Enough {};
  CHECK_THROWS_AS(f.api.send({}, {},
                             [](const Response&, std::string_view piece) {
                               CHECK(piece == "data: 1\n\n");
                               throw Enough{};
                             }),
                  Enough);
}

TEST_CASE("http client streaming: the timeout is that of silence") {
  ApiFixture f(
      [](Peer& peer) {
        peer.read();
        peer.send("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc");
        peer.wait_until_closed();
      },
      std::chrono::milliseconds{50});
  std::string body;
  CHECK(code_of([&] {
          f.api.send({}, {}, [&](const Response&, std::string_view piece) { body += piece; });
        }) == "timeout");
  CHECK(body == "abc");
}

TEST_CASE("http client streaming: a source that fails or lies ends the call") {
  ApiFixture f([](Peer& peer) { peer.wait_until_closed(); });
  const BodySource failing{.read = [](std::span<char>) -> std::size_t { throw std::runtime_error("disk"); }};
  CHECK_THROWS_AS(f.api.send({.method = "POST"}, failing, {}), std::runtime_error);
  BodySource shorter = source_of(10, true);
  shorter.size = 11;
  CHECK(code_of([&] { f.api.send({.method = "POST"}, shorter, {}); }) == "invalid_request");
  BodySource longer = source_of(10, true);
  longer.size = 9;
  CHECK(code_of([&] { f.api.send({.method = "POST"}, longer, {}); }) == "invalid_request");
  CHECK(code_of([&] { f.api.send({.method = "POST", .body = "b"}, source_of(1, true), {}); }) ==
        "invalid_request");
}
