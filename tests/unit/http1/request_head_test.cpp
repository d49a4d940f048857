#include <doctest/doctest.h>

#include <memory>
#include <string>

#include "daemon/http1/head.hpp"

namespace grantd::daemon::http1 {
namespace {

using common::ErrorCode;
using Kind = BodyLength::Kind;

/// The error's code as text, or "accepted".
std::string outcome_of_request(std::string_view bytes) {
  RequestHead head;
  const auto parsed = parse_request_head(bytes, head);
  return parsed ? "accepted" : std::string{name(parsed.error().code)};
}
std::string with_line(std::string_view line) {
  return "POST /v1 HTTP/1.1\r\nHost: localhost\r\n" + std::string{line} + "\r\n\r\n";
}
std::string with_target(std::string_view method, std::string_view target) {
  return std::string{method} + " " + std::string{target} + " HTTP/1.1\r\nHost: localhost\r\n\r\n";
}

TEST_CASE("request head: method, target, fields and host are views into the bytes") {
  const std::string bytes =
      "PROPFIND /a%2Fb/c?x=1&y=?2 HTTP/1.1\r\nHost: Invoices:8080\r\nX-Twice: one\r\nx-twice:two\r\n"
      "Empty:\r\nSpaced: \t a b \t\r\n\r\n";
  RequestHead head;
  REQUIRE(parse_request_head(bytes, head));
  CHECK(head.method == "PROPFIND");
  CHECK(head.target == "/a%2Fb/c?x=1&y=?2");
  CHECK(head.path == "/a%2Fb/c");
  CHECK(head.query == "x=1&y=?2");
  CHECK(head.host == "Invoices:8080");
  CHECK(head.minor_version == 1);
  CHECK(head.keep_alive);
  CHECK(head.body.kind == Kind::none);
  REQUIRE(head.fields.size() == 5);
  CHECK(head.fields[1].name == "X-Twice");
  CHECK(head.fields[1].value == "one");
  CHECK(head.fields[2].name == "x-twice");
  CHECK(head.fields[2].value == "two");
  CHECK(head.fields[3].value.empty());
  CHECK(head.fields[4].value == "a b");
  for (const Field& field : head.fields) {
    CHECK(field.name.data() >= bytes.data());
    CHECK(field.name.data() < bytes.data() + bytes.size());
  }
  CHECK(head.find("x-TWICE") == "one");
  CHECK_FALSE(head.find("absent"));
}

TEST_CASE("request head: nothing of an earlier request is left in a reused one") {
  RequestHead head;
  REQUIRE(parse_request_head(
      with_line("Content-Length: 7\r\nConnection: close, upgrade\r\nUpgrade: websocket"), head));
  CHECK(head.wants_upgrade);
  REQUIRE(parse_request_head(with_target("GET", "/"), head));
  CHECK(head.body.kind == Kind::none);
  CHECK(head.keep_alive);
  CHECK_FALSE(head.wants_upgrade);
  CHECK(head.fields.size() == 1);
  CHECK(head.query.empty());
}

TEST_CASE("request head: it can be made to refer to a copy of its bytes") {
  const std::string bytes = "GET /a?b HTTP/1.1\r\nHost: invoices\r\nAccept: text/plain\r\nEmpty:\r\n\r\n";
  auto original = std::make_unique<std::string>(bytes);
  RequestHead head;
  REQUIRE(parse_request_head(*original, head));
  refer_to_copy(head, *original, bytes);
  original.reset();
  CHECK(head.method == "GET");
  CHECK(head.target == "/a?b");
  CHECK(head.path == "/a");
  CHECK(head.query == "b");
  CHECK(head.host == "invoices");
  REQUIRE(head.fields.size() == 3);
  CHECK(head.fields[1].name == "Accept");
  CHECK(head.fields[1].value == "text/plain");
  CHECK(head.fields[2].value.empty());
}

TEST_CASE("request head: one with a body, an upgrade or a secret is not remembered") {
  const auto remembered = [](const std::string& bytes) {
    RequestHead head;
    REQUIRE(parse_request_head(bytes, head));
    return may_be_remembered(head);
  };
  CHECK(remembered("GET / HTTP/1.1\r\nHost: a\r\nAccept: */*\r\n\r\n"));
  CHECK(remembered("GET / HTTP/1.0\r\n\r\n"));
  CHECK_FALSE(remembered(with_line("Content-Length: 3")));
  CHECK_FALSE(remembered(with_line("Transfer-Encoding: chunked")));
  CHECK_FALSE(remembered(with_line("Connection: upgrade\r\nUpgrade: websocket")));
  for (const char* secret :
       {"Authorization: Bearer x", "proxy-authorization: x", "COOKIE: x", "DPoP: x", "grantd-assertion: x"}) {
    CAPTURE(secret);
    CHECK_FALSE(remembered(with_line(secret)));
  }
}

TEST_CASE("request head: the body's length follows from the fields") {
  RequestHead head;
  REQUIRE(parse_request_head(with_line("Content-Length: 18446744073709551615"), head));
  CHECK(head.body.kind == Kind::fixed);
  CHECK(head.body.size == 18446744073709551615ULL);
  REQUIRE(parse_request_head(with_line("content-length: 0"), head));
  CHECK(head.body.kind == Kind::fixed);
  CHECK(head.body.size == 0);
  REQUIRE(parse_request_head(with_line("transfer-encoding: Chunked"), head));
  CHECK(head.body.kind == Kind::chunked);
}

TEST_CASE("request head: a length that two readers could take differently is refused") {
  for (const auto* line : {"Content-Length: +5",
                           "Content-Length: -1",
                           "Content-Length: 5, 5",
                           "Content-Length: 5,5",
                           "Content-Length:",
                           "Content-Length: 5 5",
                           "Content-Length: 0x5",
                           "Content-Length: 5;",
                           "Content-Length: five",
                           "Content-Length: 18446744073709551616",
                           "Content-Length: 99999999999999999999999999",
                           "Content-Length: 5\r\nContent-Length: 5",
                           "Content-Length: 5\r\nContent-Length: 6",
                           "Content-Length: 5\r\nTransfer-Encoding: chunked",
                           "Transfer-Encoding: chunked\r\nContent-Length: 5",
                           "Transfer-Encoding: xchunked",
                           "Transfer-Encoding: chunkedx",
                           "Transfer-Encoding: gzip",
                           "Transfer-Encoding: gzip, chunked",
                           "Transfer-Encoding: chunked, chunked",
                           "Transfer-Encoding: identity",
                           "Transfer-Encoding: chunked;q=1",
                           "Transfer-Encoding:",
                           "Transfer-Encoding: \"chunked\"",
                           "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
                           "Transfer-Encoding: identity\r\nTransfer-Encoding: chunked"}) {
    CAPTURE(line);
    CHECK(outcome_of_request(with_line(line)) == "invalid_request");
  }
  CHECK(outcome_of_request("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n") == "invalid_request");
}

TEST_CASE("request head: malformed lines are refused") {
  using namespace std::string_view_literals;
  for (const auto bytes : {"GET / HTTP/1.1\nHost: x\n\n"sv,
                           "GET / HTTP/1.1\r\nHost: x\n\r\n"sv,
                           "GET / HTTP/1.1\r\nHost: x\r\n\n"sv,
                           "GET / HTTP/1.1\r\nHost: x\r\nA: b\rc\r\n\r\n"sv,
                           "GET / HTTP/1.1\r\nHost: x\r\nA: b\0c\r\n\r\n"sv,
                           "GET / HTTP/1.1\r\nHost: x\r\nA\0: b\r\n\r\n"sv,
                           "GET / HTTP/1.1\r\nHost: x\r\nA: b\r\n c\r\n\r\n"sv,
                           "GET / HTTP/1.1\r\nHost: x\r\nA: b\r\n\tc\r\n\r\n"sv,
                           "GET / HTTP/1.1\r\n Host: x\r\n\r\n"sv,
                           "GET / HTTP/1.1\r\nHost : x\r\n\r\n"sv,
                           "GET / HTTP/1.1\r\nHost\t: x\r\n\r\n"sv,
                           "GET / HTTP/1.1\r\nHost: x\r\nno colon\r\n\r\n"sv,
                           "GET / HTTP/1.1\r\nHost: x\r\n: empty\r\n\r\n"sv,
                           "GET / HTTP/1.1\r\nHost: x\r\nA(b): c\r\n\r\n"sv,
                           "GET / HTTP/1.1\r\nHost: x\r\nA: \x7f\r\n\r\n"sv,
                           "GET / HTTP/1.1\r\nHost: x\r\nA: \x1b[0m\r\n\r\n"sv,
                           "GET / HTTP/1.1\r\nHost: x\r\n\xc3\xa4: c\r\n\r\n"sv,
                           "\r\nGET / HTTP/1.1\r\nHost: x\r\n\r\n"sv,
                           "GET / HTTP/1.1\r\nHost: x\r\n\r\nGET"sv,
                           "GET / HTTP/1.1\r\nHost: x\r\n"sv,
                           "\r\n\r\n"sv,
                           ""sv,
                           "GET / HTTP/1.1\r\r\nHost: x\r\n\r\n"sv}) {
    CAPTURE(bytes);
    CHECK(outcome_of_request(bytes) == "invalid_request");
  }
}

TEST_CASE("request head: malformed request lines are refused") {
  for (const auto* line :
       {"GET  / HTTP/1.1", " GET / HTTP/1.1", "GET / HTTP/1.1 ", "GET / HTTP/2.0", "GET / HTTP/1.2",
        "GET / HTTP/0.9", "GET / http/1.1", "GET / HTTP/1.10", "GET /", "GET", "GET\t/\tHTTP/1.1",
        "G@T / HTTP/1.1", "G\xc3\x84T / HTTP/1.1", "G(T / HTTP/1.1", "GET / HTTP/ 1.1", "/ HTTP/1.1"}) {
    CAPTURE(line);
    CHECK(outcome_of_request(std::string{line} + "\r\nHost: x\r\n\r\n") == "invalid_request");
  }
}

TEST_CASE("request head: only targets in origin form are accepted") {
  CHECK(outcome_of_request(with_target("GET", "/")) == "accepted");
  CHECK(outcome_of_request(with_target("GET", "//twice")) == "accepted");
  CHECK(outcome_of_request(with_target("GET", "/~!$&'()*+,;=:@%41?/?:[]{}|^`\"<>\\")) == "accepted");
  CHECK(outcome_of_request(with_target("OPTIONS", "*")) == "accepted");
  for (const auto* target : {"*", "http://localhost/v1", "HTTPS://invoices/", "localhost:80", "v1/tokens",
                             "?a=b", "/a#b", "/\xc3\xa4", "/a\x7f", "*x", "#", "urn:x"}) {
    CAPTURE(target);
    CHECK(outcome_of_request(with_target("GET", target)) == "invalid_request");
  }
  CHECK(outcome_of_request(with_target("OPTIONS", "*?a")) == "invalid_request");
  CHECK(outcome_of_request(with_target("CONNECT", "invoices:443")) == "method_not_allowed");
  CHECK(outcome_of_request(with_target("CONNECT", "/v1/proxy/invoices")) == "accepted");
}

TEST_CASE("request head: any method that is a token is accepted and keeps its case") {
  for (const auto* method : {"PROPFIND", "M-SEARCH", "get", "X!#$%&'*+.^_`|~9"}) {
    RequestHead head;
    const std::string bytes = with_target(method, "/");
    REQUIRE(parse_request_head(bytes, head));
    CHECK(head.method == method);
  }
}

TEST_CASE("request head: exactly one Host, and only from HTTP/1.1 on required") {
  CHECK(outcome_of_request("GET / HTTP/1.1\r\n\r\n") == "invalid_request");
  CHECK(outcome_of_request("GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n") == "invalid_request");
  CHECK(outcome_of_request("GET / HTTP/1.0\r\nHost: a\r\nhost: a\r\n\r\n") == "invalid_request");
  CHECK(outcome_of_request("GET / HTTP/1.0\r\n\r\n") == "accepted");
  for (const auto* host : {"", "localhost", "a.b-c_d:80", "[::1]:80"}) {
    CHECK(outcome_of_request("GET / HTTP/1.1\r\nHost: " + std::string{host} + "\r\n\r\n") == "accepted");
  }
  for (const auto* host : {"a b", "a/b", "user@a", "a,b", "\xc3\xa4"}) {
    CAPTURE(host);
    CHECK(outcome_of_request("GET / HTTP/1.1\r\nHost: " + std::string{host} + "\r\n\r\n") ==
          "invalid_request");
  }
}

TEST_CASE("request head: the connection is kept by version and option") {
  const auto keeps = [](std::string_view version, std::string_view connection) {
    RequestHead head;
    const std::string bytes = "GET / HTTP/" + std::string{version} +
                              "\r\nHost: x\r\nConnection: " + std::string{connection} + "\r\n\r\n";
    REQUIRE(parse_request_head(bytes, head));
    return head.keep_alive;
  };
  CHECK(keeps("1.1", "te"));
  CHECK_FALSE(keeps("1.1", "TE, Close"));
  CHECK_FALSE(keeps("1.1", "keep-alive,close"));
  CHECK_FALSE(keeps("1.0", "te"));
  CHECK(keeps("1.0", "Keep-Alive"));
}

TEST_CASE("request head: 100-continue is expected only with a body and in HTTP/1.1") {
  const auto expects = [](std::string_view version, std::string_view lines) {
    RequestHead head;
    const std::string bytes =
        "POST / HTTP/" + std::string{version} + "\r\nHost: x\r\n" + std::string{lines} + "\r\n\r\n";
    REQUIRE(parse_request_head(bytes, head));
    return head.expects_continue;
  };
  CHECK(expects("1.1", "Expect: 100-Continue\r\nContent-Length: 1"));
  CHECK(expects("1.1", "Expect: 100-continue\r\nTransfer-Encoding: chunked"));
  CHECK_FALSE(expects("1.1", "Expect: 100-continue\r\nContent-Length: 0"));
  CHECK_FALSE(expects("1.1", "Expect: 100-continue"));
  CHECK_FALSE(expects("1.0", "Expect: 100-continue\r\nContent-Length: 1"));
  CHECK_FALSE(expects("1.1", "Expect: tea\r\nContent-Length: 1"));
}

TEST_CASE("request head: an upgrade is wanted only where Connection names it") {
  RequestHead head;
  REQUIRE(parse_request_head(with_line("Upgrade: websocket\r\nConnection: keep-alive, Upgrade"), head));
  CHECK(head.wants_upgrade);
  REQUIRE(parse_request_head(with_line("Upgrade: websocket"), head));
  CHECK_FALSE(head.wants_upgrade);
  REQUIRE(parse_request_head(with_line("Connection: upgrade"), head));
  CHECK_FALSE(head.wants_upgrade);
}

TEST_CASE("request head: a head of 32 KiB with a thousand fields is accepted") {
  std::string bytes = "GET / HTTP/1.1\r\nHost: x\r\n";
  for (int i = 0; i < 1000; ++i) bytes += "Field-" + std::to_string(i) + ": some value\r\n";
  bytes += "Long: " + std::string(8000, 'v') + "\r\n\r\n";
  RequestHead head;
  REQUIRE(parse_request_head(bytes, head));
  CHECK(head.fields.size() == 1002);
}

TEST_CASE("head size: the empty line ends a head, however its lines end") {
  CHECK_FALSE(head_size(""));
  CHECK_FALSE(head_size("GET / HTTP/1.1\r\nHost: x\r\n"));
  CHECK_FALSE(head_size("GET / HTTP/1.1\r\nHost: x\r\n\r"));
  CHECK(head_size("GET / HTTP/1.1\r\n\r\nbody") == 18);
  CHECK(head_size("GET / HTTP/1.1\n\nbody") == 16);
  CHECK(head_size("GET / HTTP/1.1\n\r\nbody") == 17);
}

TEST_CASE("field lists: a token is found in any occurrence, without case and between blanks") {
  RequestHead head;
  const std::string bytes = with_line("Vary: a, Bee ,\t c\r\nvary: dee,,");
  REQUIRE(parse_request_head(bytes, head));
  CHECK(list_has(head, "Vary", "bee"));
  CHECK(list_has(head, "VARY", "C"));
  CHECK(list_has(head, "Vary", "dee"));
  CHECK_FALSE(list_has(head, "Vary", "be"));
  CHECK_FALSE(list_has(head, "Vary", ""));
  CHECK_FALSE(list_has(head, "Host", "bee"));
}

}  // namespace
}  // namespace grantd::daemon::http1
