#include "daemon/shared/redis_connection.hpp"

#include <doctest/doctest.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <algorithm>
#include <cerrno>
#include <future>
#include <string>
#include <vector>

#include "daemon/shared/redis_operations.hpp"
#include "tests/unit/shared/played_redis.hpp"

using namespace grantd;
using namespace std::chrono_literals;
using FailureKind = daemon::RedisFailure::Kind;

namespace {

/// A server that has said all it will ever say before it is asked.
struct Scripted : tests::PlayedRedis {
  Scripted() { connect({}); }
  void connect(std::string_view password) {
    auto opened = daemon::RedisConnection::open(target, common::Secret{password}, clock, clock.now() + 10s);
    REQUIRE(opened);
    redis = *std::move(opened);
    peer = accept();
  }

  /// What comes of a command, or of its error reply.
  daemon::RedisResult<daemon::RedisReply> ping() const {
    daemon::RedisCommands commands;
    commands.add({"PING"});
    if (auto sent = redis->send(commands.bytes()); !sent) return std::unexpected{sent.error()};
    return redis->receive();
  }
  template <class T>
  daemon::RedisOutcome<T> run(daemon::RedisOperation<T> operation) const {
    REQUIRE(redis->send(operation.commands.bytes()));
    std::vector<daemon::RedisReply> replies;
    while (replies.size() < operation.commands.count()) replies.push_back(redis->receive().value());
    return operation.read(replies);
  }
  void say(std::string_view bytes) const { tests::say(peer, bytes); }
  std::string heard() const {
    std::string text(4096, '\0');
    text.resize(
        static_cast<std::size_t>(std::max<ssize_t>(::recv(peer.get(), text.data(), text.size(), 0), 0)));
    return text;
  }

  common::SystemClock clock;
  daemon::RedisAddress target{.server = {.socket = path}};
  std::unique_ptr<daemon::RedisConnection> redis;
  common::UniqueFd peer;
};

}  // namespace

TEST_CASE("redis connection: commands and their answers in order") {
  Scripted s;
  s.say("+PONG\r\n-NOPERM no\r\n");
  CHECK(s.ping()->is_status("PONG"));
  const auto refused = s.ping();
  REQUIRE(refused);
  CHECK(refused->is(daemon::RedisReply::Kind::error));
  CHECK(refused->text == "NOPERM");
  CHECK(s.heard() == "*1\r\n$4\r\nPING\r\n*1\r\n$4\r\nPING\r\n");
}

TEST_CASE("redis connection: user and database go along with the first command, and once") {
  Scripted s;
  s.target.server.user = "u";
  s.target.server.database = 5;
  s.connect("secret");
  s.say("+OK\r\n+OK\r\n+PONG\r\n+PONG\r\n");
  CHECK(s.ping()->is_status("PONG"));
  CHECK(s.heard() ==
        "*3\r\n$4\r\nAUTH\r\n$1\r\nu\r\n$6\r\nsecret\r\n"
        "*2\r\n$6\r\nSELECT\r\n$1\r\n5\r\n"
        "*1\r\n$4\r\nPING\r\n");
  CHECK(s.ping()->is_status("PONG"));
  CHECK(s.heard() == "*1\r\n$4\r\nPING\r\n");
}

TEST_CASE("redis connection: without the user or the database nothing is an answer") {
  Scripted s;
  s.target.server.database = 5;
  s.connect("secret");
  std::string why;
  SUBCASE("the password") {
    s.say("-WRONGPASS no\r\n-NOAUTH no\r\n-NOAUTH no\r\n");
    why = "Redis answered WRONGPASS: user or password are wrong";
  }
  SUBCASE("no password is known") {
    s.say("-ERR AUTH called without any password\r\n+OK\r\n+PONG\r\n");
    why = "Redis refuses AUTH: it knows no such password, or none at all";
  }
  SUBCASE("the database") {
    s.say("+OK\r\n-ERR DB index is out of range\r\n+PONG\r\n");
    why = "Redis refuses SELECT: it has no database of this number";
  }
  const auto reply = s.ping();
  REQUIRE_FALSE(reply);
  CHECK(reply.error().kind == FailureKind::unreachable);
  CHECK(reply.error().detail == why);
}

TEST_CASE("redis connection: garbage, an end and silence are told apart") {
  Scripted s;
  SUBCASE("garbage") {
    s.say("HTTP/1.1 200 OK\r\n");
    CHECK(s.ping().error().kind == FailureKind::garbage);
  }
  SUBCASE("the end") {
    s.peer.reset();
    CHECK(s.ping().error().kind == FailureKind::unreachable);
  }
  SUBCASE("silence") {
    s.redis->set_deadline(s.clock.now() + 5ms);
    CHECK(s.ping().error().kind == FailureKind::timed_out);
  }
}

TEST_CASE("redis connection: what comes unasked makes it stale") {
  Scripted s;
  CHECK_FALSE(s.redis->is_stale());
  SUBCASE("bytes") { s.say("+OK\r\n"); }
  SUBCASE("more than was asked for") {
    s.say("+PONG\r\n+OK\r\n");
    REQUIRE(s.ping());
  }
  SUBCASE("the end") { s.peer.reset(); }
  CHECK(s.redis->is_stale());
}

TEST_CASE("redis connection: nobody there is told at once") {
  common::SystemClock clock;
  daemon::RedisAddress nowhere{.server = {.socket = "/nonexistent/redis.sock"}};
  const auto opened = daemon::RedisConnection::open(nowhere, {}, clock, clock.now() + 10s);
  REQUIRE_FALSE(opened);
  CHECK(opened.error().kind == FailureKind::unreachable);
  CHECK(opened.error().detail.find("/nonexistent/redis.sock") != std::string::npos);
}

TEST_CASE("redis operations: a look-up takes what is there, and leaves what is refused") {
  Scripted s;
  s.say("$3\r\none\r\n:500\r\n$0\r\n\r\n:-2\r\n-WRONGTYPE x\r\n:-1\r\n$3\r\ntwo\r\n:-1\r\n");
  const auto outcome = s.run(daemon::redis_look_up({"a", "b", "c", "d"}));
  REQUIRE(outcome.value);
  REQUIRE(outcome.value->size() == 4);
  CHECK((*outcome.value)[0]->bytes == "one");
  CHECK((*outcome.value)[0]->left == 500ms);
  CHECK_FALSE((*outcome.value)[1]);
  CHECK_FALSE((*outcome.value)[2]);
  CHECK((*outcome.value)[3]->bytes == "two");
  CHECK_FALSE((*outcome.value)[3]->left);
  CHECK(outcome.failure->code == "WRONGTYPE");
}

TEST_CASE("redis operations: a lease is got or not, and the entries are looked at after it") {
  Scripted s;
  const daemon::LeaseOrder order{.name = "l", .holder = "h", .duration = 2s};
  s.say("+OK\r\n$1\r\nh\r\n:2000\r\n$0\r\n\r\n:-2\r\n$-1\r\n$1\r\no\r\n:2000\r\n$1\r\nx\r\n:9\r\n");
  const auto got = s.run(daemon::redis_lease(order, {"a"}));
  CHECK(got.value->got);
  CHECK_FALSE(got.value->entries[0]);
  const auto not_got = s.run(daemon::redis_lease(order, {"a"}));
  CHECK_FALSE(not_got.value->got);
  CHECK_FALSE(not_got.value->usurped);
  CHECK(not_got.value->entries[0]->bytes == "x");
  CHECK(s.heard().starts_with(
      "*6\r\n$3\r\nSET\r\n$1\r\nl\r\n$1\r\nh\r\n$2\r\nNX\r\n$2\r\nPX\r\n$4\r\n2000\r\n"));
}

TEST_CASE(
    "redis operations: a lease without an end, or with one too late, is nobody's who keeps to the rules") {
  Scripted s;
  const daemon::LeaseOrder order{.name = "l", .holder = "h", .duration = 2s};
  for (const std::string_view left : {":-1", ":2001", ":9223372036854775807"}) {
    s.say(std::string{"$-1\r\n$1\r\no\r\n"}.append(left).append("\r\n$0\r\n\r\n:-2\r\n"));
    CHECK(s.run(daemon::redis_lease(order, {"a"})).value->usurped);
  }
  for (const std::string_view left : {":-2", ":0", ":2000", "-NOPERM no", "+OK"}) {
    s.say(std::string{"$-1\r\n$1\r\no\r\n"}.append(left).append("\r\n$0\r\n\r\n:-2\r\n"));
    CHECK_FALSE(s.run(daemon::redis_lease(order, {"a"})).value->usurped);
  }
}

TEST_CASE(
    "redis operations: a lease that is this holder's already is got, whatever else has its name is not") {
  Scripted s;
  const daemon::LeaseOrder order{.name = "l", .holder = "h", .duration = 2s};
  s.say("$-1\r\n$1\r\nh\r\n:2000\r\n$0\r\n\r\n:-2\r\n");
  CHECK(s.run(daemon::redis_lease(order, {"a"})).value->got);
  for (const std::string_view holder : {"$2\r\nhh\r\n", "$0\r\n\r\n", "-WRONGTYPE no\r\n", "+h\r\n"}) {
    s.say(std::string{"$-1\r\n"}.append(holder).append(":2000\r\n$0\r\n\r\n:-2\r\n"));
    CHECK_FALSE(s.run(daemon::redis_lease(order, {"a"})).value->got);
  }
}

TEST_CASE("redis operations: a write is done, or told what stands in the way") {
  Scripted s;
  const daemon::PutOrder order{.name = "n", .bytes = "new", .expected = "old", .life = 5s};
  s.say(":1\r\n$5\r\nother\r\n$3\r\nnew\r\n-READONLY x\r\n+OK\r\n");
  CHECK_FALSE(*s.run(daemon::redis_put(order)).value);
  CHECK(**s.run(daemon::redis_put(order)).value == "other");
  CHECK_FALSE(*s.run(daemon::redis_put(order)).value);  // the answer to an earlier try was lost
  const auto refused = s.run(daemon::redis_put(order));
  CHECK_FALSE(refused.value);
  CHECK(refused.failure->detail.find("name the primary") != std::string::npos);
  CHECK(s.run(daemon::redis_put(order)).failure->kind == FailureKind::garbage);
}

TEST_CASE("redis connection: a local server whose queue of connections is full is waited for") {
  Scripted s;
  std::vector<common::UniqueFd> queued;
  while (true) {
    common::UniqueFd one{::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)};
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    s.path.native().copy(address.sun_path, sizeof address.sun_path - 1);
    if (::connect(one.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) break;
    queued.push_back(std::move(one));
  }
  REQUIRE(errno == EAGAIN);
  SUBCASE("in vain") {
    const auto opened = daemon::RedisConnection::open(s.target, {}, s.clock, s.clock.now() + 50ms);
    REQUIRE_FALSE(opened);
    CHECK(opened.error().kind == FailureKind::timed_out);
  }
  SUBCASE("until it takes one") {
    auto opening = std::async(std::launch::async, [&s] {
      return daemon::RedisConnection::open(s.target, {}, s.clock, s.clock.now() + 10s).has_value();
    });
    const common::UniqueFd taken{::accept(s.listener.get(), nullptr, nullptr)};
    CHECK(opening.get());
  }
}
