#include "daemon/shared/redis_reply.hpp"

#include <doctest/doctest.h>

#include <array>

using grantd::daemon::redis_command;
using grantd::daemon::RedisReader;
using ReplyKind = grantd::daemon::RedisReply::Kind;

namespace {

bool is_refused(std::string_view bytes) {
  RedisReader reader;
  return !reader.feed(bytes) || !reader.next();
}

}  // namespace

TEST_CASE("redis reply: the kinds that commands answer with") {
  RedisReader reader;
  REQUIRE(reader.feed(
      std::string_view{"+OK\r\n:42\r\n$3\r\na\r\n\r\n$-1\r\n-READONLY You can't write\r\n$0\r\n\r\n"}));
  CHECK(reader.next().value()->is_status("OK"));
  const auto number = reader.next().value().value();
  CHECK(number.is(ReplyKind::number));
  CHECK(number.number == 42);
  CHECK(reader.next().value()->text == "a\r\n");
  CHECK(reader.next().value()->is(ReplyKind::nil));
  const auto error = reader.next().value().value();
  CHECK(error.is(ReplyKind::error));
  CHECK(error.text == "READONLY");
  CHECK_FALSE(reader.empty());
  CHECK(reader.next().value()->text.empty());
  CHECK(reader.empty());
  CHECK_FALSE(reader.next().value());
}

TEST_CASE("redis reply: comes in whatever pieces") {
  RedisReader reader;
  const std::string_view whole{"$5\r\nhello\r\n"};
  for (const char& byte : whole) {
    CHECK_FALSE(reader.next().value());
    REQUIRE(reader.feed({&byte, 1}));
  }
  CHECK(reader.next().value()->text == "hello");
}

TEST_CASE("redis reply: of an error no more than its code is kept") {
  RedisReader reader;
  REQUIRE(
      reader.feed(std::string_view{"-ERR unknown command 'AUTH', with args: 'secret'\r\n-secret! x\r\n"}));
  CHECK(reader.next().value()->text == "ERR");
  CHECK(reader.next().value()->text == "ERR");
}

TEST_CASE("redis reply: what is no answer to any command is refused") {
  for (const std::string_view bytes :
       {"*1\r\n$1\r\na\r\n", "*1000000000\r\n", "*-5\r\n", "$99999999999999999999\r\n", "$x\r\n",
        "HTTP/1.1 400\r\n", ":x\r\n", "\r\n", "~1\r\n:1\r\n", ">1\r\n:1\r\n", "$-7\r\n"}) {
    CAPTURE(bytes);
    CHECK(is_refused(bytes));
  }
}

TEST_CASE("redis reply: one that is too large is refused before it is complete") {
  RedisReader reader;
  REQUIRE(reader.feed(std::string_view{"$536870912\r\n"}));
  const std::string piece(16384, 'x');
  int taken = 0;
  while (reader.feed(piece) && reader.next()) REQUIRE(++taken < 100);
  CHECK(taken < 7);
}

TEST_CASE("redis command: words of any bytes") {
  const std::array<std::string_view, 3> words{"SET", std::string_view{"a\0b", 3}, "\r\n"};
  CHECK(redis_command(words).reveal() ==
        std::string_view{"*3\r\n$3\r\nSET\r\n$3\r\na\0b\r\n$2\r\n\r\n\r\n", 30});
}
