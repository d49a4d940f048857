#include <doctest/doctest.h>

#include <string>
#include <string_view>

#include "client-lib/src/response_parser.hpp"

using grantd::detail::BodyFraming;
using grantd::detail::ResponseParser;
using State = ResponseParser::State;

namespace {

struct Parsed {
  State state = State::head;
  int status = 0;
  bool keep_alive = false;
  std::string body;
  std::size_t consumed = 0;
};

// Feeds pieces of `piece` bytes each, then the end of the connection where `closes`.
Parsed parse(std::string_view bytes, std::size_t piece, bool closes = false, bool answers_head = false) {
  ResponseParser parser(answers_head);
  Parsed parsed;
  const auto active = [&] { return parser.state() == State::head || parser.state() == State::body; };
  while (parsed.consumed < bytes.size() && active()) {
    auto fed = bytes.substr(parsed.consumed, piece);
    while (!fed.empty() && active()) {
      const auto step = parser.feed(fed);
      parsed.body += step.body;
      parsed.consumed += step.consumed;
      fed.remove_prefix(step.consumed);
    }
  }
  if (closes) parser.end();
  parsed.state = parser.state();
  parsed.status = parser.head().status;
  parsed.keep_alive = parser.head().keep_alive;
  return parsed;
}

State state_of(std::string_view bytes) { return parse(bytes, 4096).state; }

}  // namespace

TEST_CASE("library response parser: the pieces a response arrives in make no difference") {
  constexpr std::string_view bytes =
      "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
      "5;x=y\r\nhello\r\n1\r\n \r\n5\r\nworld\r\n0\r\nTrailer: x\r\n\r\nrest";
  for (std::size_t piece = 1; piece <= bytes.size(); ++piece) {
    const Parsed parsed = parse(bytes, piece);
    CHECK(parsed.state == State::complete);
    CHECK(parsed.status == 200);
    CHECK(parsed.body == "hello world");
    CHECK(bytes.substr(parsed.consumed) == "rest");
  }
}

TEST_CASE("library response parser: a body ends where its length says") {
  const Parsed parsed = parse("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhelloHTTP", 4096);
  CHECK(parsed.state == State::complete);
  CHECK(parsed.body == "hello");
  CHECK(parsed.keep_alive);
}

TEST_CASE("library response parser: without a length the body lasts until the connection closes") {
  const std::string_view bytes = "HTTP/1.1 200 OK\r\n\r\nhello";
  CHECK(parse(bytes, 3).state == State::body);
  const Parsed parsed = parse(bytes, 3, true);
  CHECK(parsed.state == State::complete);
  CHECK(parsed.body == "hello");
  CHECK_FALSE(parsed.keep_alive);
}

TEST_CASE("library response parser: a close before the end is a failure") {
  CHECK(parse("HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nhello", 4096, true).state == State::failed);
  CHECK(parse("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n", 4096, true).state ==
        State::failed);
  CHECK(parse("HTTP/1.1 200 OK\r\nConte", 4096, true).state == State::failed);
  CHECK(parse("", 4096, true).state == State::failed);
}

TEST_CASE("library response parser: an answer to HEAD, a 204 and a 304 have no body") {
  CHECK(parse("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", 4096, false, true).state == State::complete);
  CHECK(state_of("HTTP/1.1 204 No Content\r\n\r\n") == State::complete);
  CHECK(state_of("HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n") == State::complete);
}

TEST_CASE("library response parser: connections that will close are known") {
  CHECK_FALSE(parse("HTTP/1.1 200 OK\r\nConnection: x, Close\r\nContent-Length: 0\r\n\r\n", 4096).keep_alive);
  CHECK_FALSE(parse("HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n", 4096).keep_alive);
}

TEST_CASE("library response parser: what is ambiguous or no HTTP at all is refused") {
  for (const std::string_view bytes : {
           "SSH-2.0-OpenSSH_9.2\r\n\r\n",
           "HTTP/2 200 OK\r\n\r\n",
           "HTTP/1.1 20 OK\r\n\r\n",
           "HTTP/1.1 2000 OK\r\n\r\n",
           "HTTP/1.1 099 Low\r\n\r\n",
           "HTTP/1.1 101 Switching Protocols\r\n\r\n",
           "HTTP/1.1 200 OK\nContent-Length: 0\r\n\r\n",
           "HTTP/1.1 200 OK\r\nA: b\nC: d\r\n\r\n",
           "HTTP/1.1 200 OK\r\nA: b\r\n folded\r\n\r\n",
           "HTTP/1.1 200 OK\r\nA : b\r\n\r\n",
           "HTTP/1.1 200 OK\r\n: b\r\n\r\n",
           "HTTP/1.1 200 OK\r\nno colon\r\n\r\n",
           "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\n",
           "HTTP/1.1 200 OK\r\nContent-Length: 1, 1\r\n\r\n",
           "HTTP/1.1 200 OK\r\nContent-Length: +1\r\n\r\n",
           "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
           "HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\n",
           "HTTP/1.1 200 OK\r\nContent-Length: \r\n\r\n",
           "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
           "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
           "HTTP/1.1 200 OK\r\nTransfer-Encoding: xchunked\r\n\r\n",
           "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n\r\n",
           "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
           "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\nhello",
           "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhelloX\r\n",
           "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffff1\r\n",
       }) {
    CAPTURE(bytes);
    CHECK(state_of(bytes) == State::failed);
  }
}

TEST_CASE("library response parser: heads, chunk lines and trailers without end are cut off") {
  const std::string much(70'000, 'x');
  CHECK(state_of("HTTP/1.1 200 OK\r\nA: " + much) == State::failed);
  const std::string chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
  CHECK(state_of(chunked + "5;" + much) == State::failed);
  CHECK(state_of(chunked + "0\r\nA: " + much) == State::failed);
  std::string trailers = chunked + "0\r\n";
  for (int i = 0; i < 70; ++i) trailers += "A: " + std::string(1000, 'x') + "\r\n";
  CHECK(state_of(trailers) == State::failed);
  std::string interim;
  for (int i = 0; i < 70; ++i) interim += "HTTP/1.1 103 Early\r\nA: " + std::string(1000, 'x') + "\r\n\r\n";
  CHECK(state_of(interim) == State::failed);
}
