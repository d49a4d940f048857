// What travels between caller and API, head by head.
#include <doctest/doctest.h>

#include <chrono>

#include "daemon/proxy/header_filter.hpp"

namespace grantd::daemon {
namespace {

http1::RequestHead request(std::string_view bytes) {
  http1::RequestHead head;
  REQUIRE(http1::parse_request_head(bytes, head));
  return head;
}

std::string forwarded(std::string_view fields, const FixedHeaders& fixed = {}) {
  const std::string bytes = "GET /x HTTP/1.1\r\nHost: invoices\r\n" + std::string{fields} + "\r\n";
  std::string out;
  append_request_fields(out, request(bytes), fixed);
  return out;
}

std::string framing_of(std::string_view fields) {
  const std::string bytes = "POST /x HTTP/1.1\r\nHost: invoices\r\n" + std::string{fields} + "\r\n";
  std::string out;
  append_request_framing(out, request(bytes));
  return out;
}

/// The head a caller gets for `response` to its `request_bytes`.
std::string answered(std::string_view response_bytes,
                     std::string_view request_bytes = "GET / HTTP/1.1\r\nHost: a\r\n\r\n",
                     std::string_view own_fields = {}) {
  const auto asked = request(request_bytes);
  http1::ResponseHead response;
  REQUIRE(http1::parse_response_head(response_bytes, asked.method, response));
  std::string out;
  append_response_head(out, asked, response, response_framing(asked, response), own_fields);
  return out;
}

}  // namespace

TEST_CASE("header filter: end-to-end fields keep their bytes, order and number") {
  CHECK(forwarded("Cookie: a=1\r\nX-Many: 1\r\nAccept: */*\r\nX-Many: 2\r\ncookie: b=2\r\n") ==
        "Cookie: a=1\r\nX-Many: 1\r\nAccept: */*\r\nX-Many: 2\r\ncookie: b=2\r\n");
}

TEST_CASE("header filter: hop-by-hop fields do not travel to the API") {
  CHECK(forwarded("Keep-Alive: timeout=5\r\nProxy-Connection: close\r\nTE: trailers\r\nTrailer: X\r\n"
                  "Upgrade: h2c\r\nproxy-authorization: Basic eA==\r\nX-Kept: 1\r\n") == "X-Kept: 1\r\n");
}

TEST_CASE("header filter: fields that Connection names do not travel, in every list of it") {
  CHECK(forwarded("Connection: close, X-Secret\r\nX-Secret: 1\r\nX-Kept: 1\r\nConnection: ,x-other "
                  ",\r\nX-Other: 2\r\n") == "X-Kept: 1\r\n");
}

TEST_CASE("header filter: the cost of options and fields grows with their number, not with its square") {
  auto shortest = [](int number) {
    std::string fields = "Connection: ";
    for (int i = 0; i < 2 * number; ++i) fields += "a,";
    fields += "b\r\n";
    for (int i = 0; i < number; ++i) fields += "c:\r\n";
    auto best = std::chrono::steady_clock::duration::max();
    for (int i = 0; i < 5; ++i) {
      const auto begun = std::chrono::steady_clock::now();
      CHECK(forwarded(fields).size() == static_cast<std::size_t>(number) * 5);
      best = std::min(best, std::chrono::steady_clock::now() - begun);
    }
    return best;
  };
  CHECK(shortest(16'000) < 16 * 4 * shortest(1000));
}

TEST_CASE("header filter: credentials and Grantd fields of the caller stay behind") {
  CHECK(forwarded("authorization: Bearer stolen\r\nDPoP: proof\r\nGrantd-Scope: a\r\ngrantd-anything: b\r\n"
                  "Expect: 100-continue\r\nX-Grantd: kept\r\n") == "X-Grantd: kept\r\n");
}

TEST_CASE("header filter: fixed headers replace all of the caller's of that name") {
  CHECK(forwarded("X-Tenant: mine\r\nAccept: */*\r\nx-tenant: again\r\n", {{"X-Tenant", "fixed"}}) ==
        "Accept: */*\r\nX-Tenant: fixed\r\n");
}

TEST_CASE("header filter: a fixed header cannot be removed by naming it in Connection") {
  CHECK(forwarded("Connection: X-Tenant\r\n", {{"X-Tenant", "fixed"}}) == "X-Tenant: fixed\r\n");
}

TEST_CASE("header filter: the request's framing is written anew") {
  CHECK(framing_of("") == "");
  CHECK(framing_of("Content-Length: 0\r\n") == "Content-Length: 0\r\n");
  CHECK(framing_of("Content-Length: 007\r\nConnection: Content-Length\r\n") == "Content-Length: 7\r\n");
  CHECK(framing_of("Transfer-Encoding: chunked\r\n") == "Transfer-Encoding: chunked\r\n");
}

TEST_CASE("header filter: responses keep their fields and the length the API gave") {
  CHECK(answered(
            "HTTP/1.1 206 Partial Content\r\nSet-Cookie: a\r\nContent-Range: bytes 0-1/9\r\nSet-Cookie: b\r\n"
            "Content-Length: 2\r\nConnection: close\r\nKeep-Alive: timeout=5\r\nGrantd-Error: lie\r\n\r\n") ==
        "HTTP/1.1 206 Partial Content\r\nSet-Cookie: a\r\nContent-Range: bytes 0-1/9\r\nSet-Cookie: b\r\n"
        "Content-Length: 2\r\n\r\n");
}

TEST_CASE(
    "header filter: a body of unknown length becomes chunks, or ends with the connection for HTTP/1.0") {
  CHECK(answered("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X\r\n\r\n") ==
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
  CHECK(answered("HTTP/1.0 200 OK\r\n\r\n") == "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
  const auto old_caller = "GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n";
  CHECK(answered("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", old_caller) ==
        "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n");
  CHECK(answered("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n", old_caller) ==
        "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nConnection: keep-alive\r\n\r\n");
}

TEST_CASE("header filter: HEAD and 304 keep the length of the body they do not have, 204 has none") {
  CHECK(answered("HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n", "HEAD / HTTP/1.1\r\nHost: a\r\n\r\n") ==
        "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n");
  CHECK(answered("HTTP/1.1 304 Not Modified\r\nETag: \"x\"\r\nContent-Length: 9\r\n\r\n") ==
        "HTTP/1.1 304 Not Modified\r\nETag: \"x\"\r\nContent-Length: 9\r\n\r\n");
  CHECK(answered("HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n") ==
        "HTTP/1.1 204 No Content\r\n\r\n");
}

TEST_CASE(
    "header filter: a caller that wants to close is told that it will be, and the daemon's own fields come "
    "last") {
  CHECK(answered("HTTP/1.1 200 OK\r\nContent-Length: 0\r\nX: 1\r\n\r\n",
                 "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", "Grantd-Retried: 401\r\n") ==
        "HTTP/1.1 200 OK\r\nX: 1\r\nContent-Length: 0\r\nConnection: close\r\nGrantd-Retried: 401\r\n\r\n");
}

}  // namespace grantd::daemon
