#include <doctest/doctest.h>

#include <string>

#include "daemon/http1/gathered_body.hpp"

namespace grantd::daemon::http1 {
namespace {

using Kind = BodyLength::Kind;

/// What a caller sees who gives the decoder `step` bytes more at a time.
struct Decoded {
  std::string body;
  std::string end;  // "complete", "incomplete" or the error
  std::size_t left_over = 0;
};
Decoded decode(BodyLength length, std::string_view bytes, std::size_t step) {
  BodyDecoder decoder{length};
  Decoded result;
  std::string pending;
  while (true) {
    const auto piece = decoder.next(std::span{pending.data(), pending.size()});
    if (!piece) {
      result.end = piece.error();
      return result;
    }
    result.body.append(piece->data.data(), piece->data.size());
    pending.erase(0, piece->consumed);
    if (piece->complete) {
      result.end = "complete";
      result.left_over = pending.size() + bytes.size();
      return result;
    }
    if (piece->consumed > 0) continue;
    if (bytes.empty()) {
      result.end = decoder.may_end_here() ? "complete" : "incomplete";
      return result;
    }
    pending += bytes.substr(0, step);
    bytes.remove_prefix(std::min(step, bytes.size()));
  }
}
Decoded decode_chunked(std::string_view bytes, std::size_t step = 1 << 20) {
  return decode({Kind::chunked, 0}, bytes, step);
}

TEST_CASE("body decoder: chunks are joined whatever pieces they arrive in") {
  const std::string_view bytes =
      "5\r\nhello\r\n00006\r\n world\r\nA\r\n0123456789\r\n0\r\nTrailer: x\r\n\r\nNEXT";
  for (std::size_t step = 1; step <= bytes.size(); ++step) {
    const auto decoded = decode_chunked(bytes, step);
    CHECK(decoded.body == "hello world0123456789");
    CHECK(decoded.end == "complete");
    CHECK(decoded.left_over == 4);
  }
}

TEST_CASE("body decoder: data is given without copying") {
  const std::string_view bytes = "5\r\nhello\r\n0\r\n\r\n";
  BodyDecoder decoder{{Kind::chunked, 0}};
  const auto piece = decoder.next(std::span{bytes.data(), bytes.size()});
  REQUIRE(piece);
  CHECK(piece->data.data() == bytes.data() + 3);
  CHECK(piece->consumed == bytes.size());
  CHECK(piece->complete);
}

TEST_CASE("body decoder: a fixed body ends after its bytes and not before") {
  const auto decoded = decode({Kind::fixed, 5}, "helloNEXT", 2);
  CHECK(decoded.body == "hello");
  CHECK(decoded.end == "complete");
  CHECK(decoded.left_over == 4);
  CHECK(decode({Kind::fixed, 6}, "hello", 5).end == "incomplete");
  CHECK(BodyDecoder{{Kind::fixed, 0}}.complete());
  CHECK(BodyDecoder{{Kind::none, 0}}.complete());
}

TEST_CASE("body decoder: what is left of a fixed body may go another way") {
  BodyDecoder decoder{{Kind::fixed, 10}};
  const std::string_view first = "abc";
  REQUIRE(decoder.next(std::span{first.data(), first.size()}));
  CHECK(decoder.fixed_left() == 7);
  decoder.skip(6);
  CHECK_FALSE(decoder.complete());
  CHECK(decoder.fixed_left() == 1);
  decoder.skip(1);
  CHECK(decoder.complete());
  CHECK(decoder.fixed_left() == 0);
  CHECK(BodyDecoder{{Kind::chunked, 0}}.fixed_left() == 0);
  CHECK(BodyDecoder{{Kind::until_close, 0}}.fixed_left() == 0);
}

TEST_CASE("body decoder: a body until close may end anywhere") {
  const auto decoded = decode({Kind::until_close, 0}, "anything at all", 4);
  CHECK(decoded.body == "anything at all");
  CHECK(decoded.end == "complete");
  CHECK_FALSE(BodyDecoder{{Kind::until_close, 0}}.complete());
}

TEST_CASE("body decoder: a chunked body that stops early is incomplete") {
  for (const auto* bytes : {"", "5", "5\r", "5\r\nhel", "5\r\nhello", "5\r\nhello\r", "5\r\nhello\r\n",
                            "5\r\nhello\r\n0\r\n", "0\r\n\r", "0\r\nA: b\r\n", "ffffffffffffffff\r\nx"}) {
    CAPTURE(bytes);
    CHECK(decode_chunked(bytes).end == "incomplete");
  }
}

TEST_CASE("body decoder: malformed chunks are refused") {
  for (const auto* bytes : {"+5\r\nhello\r\n",
                            "-1\r\n",
                            "0x5\r\nhello\r\n",
                            " 5\r\nhello\r\n",
                            "5 \r\nhello\r\n",
                            "5\nhello\r\n",
                            "5;ext=1\r\nhello\r\n",
                            "5;\r\nhello\r\n",
                            "\r\nhello",
                            "g\r\n",
                            "5\r\rhello",
                            "5\r\nhelloX\n",
                            "5\r\nhello\n",
                            "5\r\nhello5\r\n",
                            "10000000000000000\r\n",
                            "00000000000000005\r\nhello\r\n",
                            "fffffffffffffffff\r\n",
                            "0\r\nA: b\n\r\n",
                            "0\r\n\n",
                            "0\r\n folded: x\r\n\r\n",
                            "0\r\nno colon\r\n\r\n",
                            "0\r\n: x\r\n\r\n",
                            "0\r\nA : x\r\n\r\n",
                            "0\r\nA: \x01\r\n\r\n",
                            "0\r\nA: b\rc\r\n\r\n"}) {
    CAPTURE(bytes);
    for (const std::size_t step : {std::size_t{1}, std::size_t{1000}}) {
      const auto end = decode_chunked(bytes, step).end;
      CHECK(end != "complete");
      CHECK(end != "incomplete");
    }
  }
}

TEST_CASE("body decoder: a trailer over 8 KiB is refused before it is whole") {
  const std::string line = "A: " + std::string(1000, 'x') + "\r\n";
  std::string bytes = "0\r\n";
  for (int i = 0; i < 8; ++i) bytes += line;
  CHECK(decode_chunked(bytes + "\r\n").end == "complete");
  CHECK(decode_chunked(bytes + line + "\r\n").end == "the trailer is too large");
  CHECK(decode_chunked("0\r\nA: " + std::string(9000, 'x')).end == "the trailer is too large");
}

TEST_CASE("gathered body: small chunks become one piece, a large one ends it") {
  const std::string large(5000, 'l');
  std::string bytes = "1\r\na\r\n2\r\nbc\r\n1388\r\n" + large + "\r\n1\r\nd\r\n0\r\n\r\n";
  BodyDecoder decoder{{Kind::chunked, 0}};
  const auto first = gather_body(decoder, bytes);
  CHECK(std::string{first->data.begin(), first->data.end()} == "abc" + large);
  const auto second = gather_body(decoder, std::span{bytes}.subspan(first->consumed));
  CHECK(std::string{second->data.begin(), second->data.end()} == "d");
  CHECK(first->consumed + second->consumed == bytes.size());
  CHECK(decoder.complete());
}

TEST_CASE("gathered body: what came before broken framing is still there") {
  std::string bytes = "1\r\na\r\n1\r\nb\r\nnonsense\r\n";
  BodyDecoder decoder{{Kind::chunked, 0}};
  const auto gathered = gather_body(decoder, bytes);
  REQUIRE(gathered);
  CHECK(std::string{gathered->data.begin(), gathered->data.end()} == "ab");
  CHECK_FALSE(gather_body(decoder, std::span{bytes}.subspan(gathered->consumed)));
}

TEST_CASE("gathered body: an unfinished line waits for more, and bodies without chunks are one piece") {
  std::string unfinished = "1\r\na\r\n1";
  BodyDecoder chunks{{Kind::chunked, 0}};
  const std::size_t used = gather_body(chunks, unfinished)->consumed;
  CHECK(unfinished.substr(used) == "1");
  CHECK(gather_body(chunks, std::span{unfinished}.subspan(used))->consumed == 0);
  std::string text = "abcdef";
  BodyDecoder fixed{{Kind::fixed, 4}};
  CHECK(gather_body(fixed, text)->data.size() == 4);
  CHECK(fixed.complete());
}

}  // namespace
}  // namespace grantd::daemon::http1
