#include "daemon/shared/redis_queue.hpp"

#include <arpa/inet.h>
#include <doctest/doctest.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <future>
#include <string>
#include <thread>
#include <vector>

#include "daemon/shared/redis_operations.hpp"
#include "tests/unit/shared/played_redis.hpp"

using namespace grantd;
using grantd::tests::hear;
using grantd::tests::say;
using namespace std::chrono_literals;
using FailureKind = daemon::RedisFailure::Kind;

namespace {

constexpr std::string_view ping = "*1\r\n$4\r\nPING\r\n";

/// A server that the test speaks for, and a queue before it.
struct Served : tests::PlayedRedis {
  ~Served() {
    while (!workers.idle()) std::this_thread::yield();  // they refer to the clock
  }

  struct Asked {
    std::shared_ptr<daemon::RedisJob> job;
    std::future<void> ended;
    /// What became of it.
    const std::optional<daemon::RedisFailure>& failure() const {
      REQUIRE(ended.wait_for(10s) == std::future_status::ready);
      return job->failure;
    }
  };
  Asked ask(std::chrono::milliseconds patience = 10s) const {
    auto job = std::make_shared<daemon::RedisJob>();
    job->commands.add({"PING"});
    job->read = [](std::span<daemon::RedisReply> replies) -> std::optional<daemon::RedisFailure> {
      if (replies.front().is_status("PONG")) return std::nullopt;
      return daemon::refused_by_redis(replies.front().text);
    };
    job->password = std::make_shared<const common::Secret>();
    job->patience = patience;
    std::promise<void> ended;
    auto future = ended.get_future();
    job->ended = [ended = std::move(ended)] mutable { ended.set_value(); };
    queue->push(job);
    return {.job = std::move(job), .ended = std::move(future)};
  }
  common::SystemClock clock;
  daemon::Workers workers{1, 1};
  std::shared_ptr<daemon::RedisLinks> links =
      std::make_shared<daemon::RedisLinks>(config::RedisServer{.socket = path});
  std::shared_ptr<daemon::RedisQueue> queue = std::make_shared<daemon::RedisQueue>(links, workers, clock);
};

std::string repeated(std::string_view text, int times) {
  std::string all;
  for (int i = 0; i < times; ++i) all += text;
  return all;
}

}  // namespace

TEST_CASE("redis queue: what waits while one is under way goes along in one go") {
  Served s;
  const auto first = s.ask();
  const auto peer = s.accept();
  CHECK(hear(peer, ping.size()) == ping);
  std::vector<Served::Asked> others;
  for (int i = 0; i < 50; ++i) others.push_back(s.ask());
  say(peer, "+PONG\r\n");
  CHECK_FALSE(first.failure());
  CHECK(hear(peer, 50 * ping.size()) == repeated(ping, 50));
  say(peer, repeated("+PONG\r\n", 49) + "-ERR no\r\n");
  for (int i = 0; i < 49; ++i) CHECK_FALSE(others[static_cast<std::size_t>(i)].failure());
  CHECK(others.back().failure()->kind == FailureKind::refused);
}

TEST_CASE("redis queue: what was sent without an answer is not delivered late") {
  Served s;
  s.listener = common::UniqueFd{::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = ::htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  auto* const any = reinterpret_cast<sockaddr*>(&address);
  REQUIRE(::bind(s.listener.get(), any, size) == 0);
  REQUIRE(::listen(s.listener.get(), 4) == 0);
  REQUIRE(::getsockname(s.listener.get(), any, &size) == 0);
  s.links = std::make_shared<daemon::RedisLinks>(
      config::RedisServer{.host = "127.0.0.1", .port = ::ntohs(address.sin_port)});
  s.queue = std::make_shared<daemon::RedisQueue>(s.links, s.workers, s.clock);
  const auto asked = s.ask(50ms);
  const auto peer = s.accept();
  CHECK(asked.failure()->kind == FailureKind::timed_out);
  CHECK(hear(peer, ping.size()) == ping);
  char more = 0;
  CHECK(::recv(peer.get(), &more, 1, 0) == -1);
  CHECK(errno == ECONNRESET);  // and not an end that waits for all before it
}

TEST_CASE("redis queue: what a closed connection leaves without an answer is asked once more") {
  Served s;
  const auto first = s.ask();
  auto peer = s.accept();
  CHECK(hear(peer, ping.size()) == ping);
  const auto second = s.ask();
  const auto third = s.ask();
  say(peer, "+PONG\r\n");
  CHECK(hear(peer, 2 * ping.size()) == repeated(ping, 2));
  say(peer, "+PONG\r\n");
  CHECK_FALSE(second.failure());
  peer.reset();
  peer = s.accept();
  CHECK(hear(peer, ping.size()) == ping);
  SUBCASE("and answered") {
    say(peer, "+PONG\r\n");
    CHECK_FALSE(third.failure());
  }
  SUBCASE("but not a third time") {
    peer.reset();
    CHECK(third.failure()->kind == FailureKind::unreachable);
  }
}

TEST_CASE("redis queue: a job that is withdrawn before it is begun is never sent") {
  Served s;
  const auto first = s.ask();
  const auto peer = s.accept();
  CHECK(hear(peer, ping.size()) == ping);
  const auto second = s.ask();
  CHECK_FALSE(s.queue->withdraw(second.job));
  CHECK(s.queue->withdraw(first.job));
  say(peer, "+PONG\r\n");
  CHECK_FALSE(first.failure());
  const auto third = s.ask();
  CHECK(hear(peer, ping.size()) == ping);
  say(peer, "+PONG\r\n");
  CHECK_FALSE(third.failure());
  CHECK(second.ended.wait_for(0s) == std::future_status::timeout);
}

TEST_CASE("redis queue: a server that is silent has all its time for each answer, and no more") {
  Served s;
  const auto first = s.ask();
  const auto peer = s.accept();
  CHECK(hear(peer, ping.size()) == ping);
  const auto second = s.ask();
  const auto third = s.ask(5ms);
  say(peer, "+PONG\r\n");
  CHECK(hear(peer, 2 * ping.size()) == repeated(ping, 2));
  const auto sent = s.queue->withdraw(third.job);
  say(peer, "+PONG\r\n");
  CHECK_FALSE(second.failure());
  CHECK(third.failure()->kind == FailureKind::timed_out);
  CHECK(*s.queue->withdraw(third.job) > *sent);
}

TEST_CASE("redis queue: a connection that was idle for long is not used again") {
  Served s;
  const auto first = s.ask();
  const auto old = s.accept();
  CHECK(hear(old, ping.size()) == ping);
  say(old, "+PONG\r\n");
  CHECK_FALSE(first.failure());
  const auto idle = [&s](std::chrono::milliseconds time) {
    while (!s.workers.idle()) std::this_thread::yield();
    auto link = s.links->take();
    REQUIRE(link->connection);
    link->used -= time;
    s.links->give_back(std::move(link));
  };
  idle(daemon::RedisLink::longest_idle - 5s);
  const auto second = s.ask();
  CHECK(hear(old, ping.size()) == ping);
  say(old, "+PONG\r\n");
  CHECK_FALSE(second.failure());
  idle(daemon::RedisLink::longest_idle + 1s);
  const auto third = s.ask();
  const auto other = s.accept();
  CHECK(hear(other, ping.size()) == ping);
  say(other, "+PONG\r\n");
  CHECK_FALSE(third.failure());
}

TEST_CASE("redis queue: silence on a connection that was kept is told from silence on a new one") {
  Served s;
  const auto first = s.ask();
  const auto peer = s.accept();
  CHECK(hear(peer, ping.size()) == ping);
  say(peer, "+PONG\r\n");
  CHECK_FALSE(first.failure());
  const auto second = s.ask(5ms);
  CHECK(second.failure()->kind == FailureKind::timed_out);
  CHECK(second.job->on_kept_connection);
  const auto third = s.ask(5ms);
  CHECK(third.failure()->kind == FailureKind::timed_out);
  CHECK_FALSE(third.job->on_kept_connection);
}

TEST_CASE("redis queue: after an answer of a replica the address is asked for its server again") {
  for (const std::string answer : {"-READONLY You can't write against a read only replica.\r\n",
                                   "-MASTERDOWN Link with MASTER is down\r\n", "-NOPERM no\r\n"}) {
    Served s;
    const auto first = s.ask();
    const auto peer = s.accept();
    CHECK(hear(peer, ping.size()) == ping);
    say(peer, answer);
    CHECK(first.failure()->kind == FailureKind::refused);
    const bool stays = answer.starts_with("-NOPERM");
    const auto second = s.ask();
    const auto next = stays ? common::UniqueFd{::dup(peer.get())} : s.accept();
    CHECK(hear(next, ping.size()) == ping);
    say(next, "+PONG\r\n");
    CHECK_FALSE(second.failure());
  }
}

TEST_CASE("redis queue: a connection that was in use when all were closed is not kept") {
  Served s;
  const auto first = s.ask();
  const auto peer = s.accept();
  CHECK(hear(peer, ping.size()) == ping);
  s.links->close_all();
  say(peer, "+PONG\r\n");
  CHECK_FALSE(first.failure());
  const auto second = s.ask();
  const auto next = s.accept();
  CHECK(hear(next, ping.size()) == ping);
  say(next, "+PONG\r\n");
  CHECK_FALSE(second.failure());
  const auto third = s.ask();
  CHECK(hear(next, ping.size()) == ping);
  say(next, "+PONG\r\n");
  CHECK_FALSE(third.failure());
}

TEST_CASE("redis queue: abandoned, it begins nothing more, and its worker's place is free") {
  Served s;
  const auto first = s.ask();
  const auto peer = s.accept();
  CHECK(hear(peer, ping.size()) == ping);
  const auto second = s.ask();
  s.queue->abandon();
  s.queue = std::make_shared<daemon::RedisQueue>(s.links, s.workers, s.clock);
  const auto third = s.ask();
  const auto other = s.accept();
  CHECK(hear(other, ping.size()) == ping);
  say(other, "+PONG\r\n");
  CHECK_FALSE(third.failure());
  say(peer, "+PONG\r\n");
  CHECK_FALSE(first.failure());
  CHECK(second.ended.wait_for(0s) == std::future_status::timeout);
}
