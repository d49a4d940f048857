#include <doctest/doctest.h>

#include <string>

#include "daemon/http1/head.hpp"

namespace grantd::daemon::http1 {
namespace {

using Kind = BodyLength::Kind;

std::string outcome_of_response(std::string_view bytes, std::string_view method = "GET") {
  ResponseHead head;
  const auto parsed = parse_response_head(bytes, method, head);
  return parsed ? "accepted" : std::string{name(parsed.error().code)};
}
ResponseHead parse(const std::string& bytes, std::string_view method = "GET") {
  ResponseHead head;
  REQUIRE(parse_response_head(bytes, method, head));
  return head;
}

TEST_CASE("response head: status, reason and fields are kept as they came") {
  const std::string bytes =
      "HTTP/1.1 207 Multi-Status maybe\r\nSet-Cookie: a=1\r\nset-cookie: b=2\r\nX: \r\nContent-Length: "
      "3\r\n\r\n";
  const ResponseHead head = parse(bytes);
  CHECK(head.status == 207);
  CHECK(head.reason == "Multi-Status maybe");
  REQUIRE(head.fields.size() == 4);
  CHECK(head.fields[0].name == "Set-Cookie");
  CHECK(head.fields[1].name == "set-cookie");
  CHECK(head.fields[1].value == "b=2");
  CHECK(head.body.kind == Kind::fixed);
  CHECK(head.body.size == 3);
  CHECK(head.keep_alive);
}

TEST_CASE("response head: an empty reason is accepted") {
  const std::string bytes = "HTTP/1.1 200 \r\nContent-Length: 0\r\n\r\n";
  CHECK(parse(bytes).reason.empty());
}

TEST_CASE("response head: the body's length follows from status, method and fields") {
  const std::string framing[] = {"Content-Length: 5\r\n", "Transfer-Encoding: chunked\r\n", ""};
  const auto kind = [](std::string_view status, std::string_view fields, std::string_view method = "GET") {
    return parse("HTTP/1.1 " + std::string{status} + " X\r\n" + std::string{fields} + "\r\n", method)
        .body.kind;
  };
  CHECK(kind("200", framing[0]) == Kind::fixed);
  CHECK(kind("200", framing[1]) == Kind::chunked);
  CHECK(kind("200", framing[2]) == Kind::until_close);
  CHECK(kind("401", framing[2], "POST") == Kind::until_close);
  for (const auto& fields : framing) {
    CAPTURE(fields);
    CHECK(kind("100", fields) == Kind::none);
    CHECK(kind("103", fields) == Kind::none);
    CHECK(kind("204", fields) == Kind::none);
    CHECK(kind("304", fields) == Kind::none);
    CHECK(kind("200", fields, "HEAD") == Kind::none);
  }
}

TEST_CASE("response head: a body that ends with the connection does not leave it to a next request") {
  CHECK_FALSE(parse("HTTP/1.1 200 OK\r\n\r\n").keep_alive);
  CHECK(parse("HTTP/1.1 204 OK\r\n\r\n").keep_alive);
  CHECK_FALSE(parse("HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\n").keep_alive);
  CHECK(parse("HTTP/1.0 200 OK\r\nContent-Length: 1\r\nConnection: keep-alive\r\n\r\n").keep_alive);
  CHECK_FALSE(parse("HTTP/1.0 200 OK\r\nConnection: keep-alive\r\n\r\n").keep_alive);
  CHECK_FALSE(parse("HTTP/1.1 200 OK\r\nContent-Length: 1\r\nConnection: close\r\n\r\n").keep_alive);
}

TEST_CASE("response head: ambiguous framing is refused, also where there is no body") {
  for (const auto* fields :
       {"Content-Length: 5\r\nContent-Length: 6\r\n", "Content-Length: 5\r\nContent-Length: 5\r\n",
        "Content-Length: 5, 5\r\n", "Content-Length: +5\r\n", "Content-Length: -1\r\n", "Content-Length:\r\n",
        "Content-Length: 18446744073709551616\r\n", "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
        "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n", "Transfer-Encoding: gzip, chunked\r\n",
        "Transfer-Encoding: xchunked\r\n", "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n"}) {
    CAPTURE(fields);
    CHECK(outcome_of_response("HTTP/1.1 200 OK\r\n" + std::string{fields} + "\r\n") == "api_unreachable");
    CHECK(outcome_of_response("HTTP/1.1 204 OK\r\n" + std::string{fields} + "\r\n") == "api_unreachable");
    CHECK(outcome_of_response("HTTP/1.1 200 OK\r\n" + std::string{fields} + "\r\n", "HEAD") ==
          "api_unreachable");
  }
  CHECK(outcome_of_response("HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n") == "api_unreachable");
}

TEST_CASE("response head: garbage is refused") {
  using namespace std::string_view_literals;
  for (const auto bytes :
       {"HTTP/1.1 200 OK\n\n"sv, "HTTP/1.1 200 OK\r\nA: b\n\r\n"sv, "HTTP/1.1 200 OK\r\nA: b\r\n c\r\n\r\n"sv,
        "HTTP/1.1 200 OK\r\nA : b\r\n\r\n"sv, "HTTP/1.1 200 OK\r\nA: \0\r\n\r\n"sv,
        "HTTP/1.1 20 OK\r\n\r\n"sv, "HTTP/1.1 099 OK\r\n\r\n"sv, "HTTP/1.1 2000 OK\r\n\r\n"sv,
        "HTTP/2.0 200 OK\r\n\r\n"sv, "ICY 200 OK\r\n\r\n"sv, "HTTP/1.1 +20 OK\r\n\r\n"sv,
        "HTTP/1.1  200 OK\r\n\r\n"sv, "200 OK\r\n\r\n"sv, "\r\n\r\n"sv, ""sv,
        "GET / HTTP/1.1\r\nHost: x\r\n\r\n"sv, "HTTP/1.1 200 O\x01K\r\n\r\n"sv}) {
    CAPTURE(bytes);
    CHECK(outcome_of_response(bytes) == "api_unreachable");
  }
}

}  // namespace
}  // namespace grantd::daemon::http1
