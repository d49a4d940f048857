// How long connections and memory are kept.
#include <doctest/doctest.h>
#include <sys/socket.h>

#include "daemon/proxy/relay_buffer.hpp"
#include "daemon/proxy/relay_pipes.hpp"
#include "daemon/proxy/upstream_pool.hpp"
#include "tests/fakes/log_recorder.hpp"
#include "tests/fakes/manual_clock.hpp"
#include "tests/unit/proxy/scripted_api.hpp"

namespace grantd::tests {

using namespace daemon;
using namespace std::chrono_literals;

TEST_CASE(
    "upstream pool: a connection is not used past what the API announced, nor kept past its greatest age") {
  ScriptedApi api{[](BlockingSocket& connection, int) { connection.sees_close(); }};
  ManualClock clock;
  LogRecorder log;
  Loop loop{clock};
  Workers workers{1, 1};
  config::ApiSettings settings;
  settings.name = "a";
  settings.base_url.tls = false;
  settings.base_url.host = "127.0.0.1";
  settings.base_url.port = api.port();
  const auto pool =
      std::make_shared<UpstreamPool>(std::make_shared<config::ApiSettings>(settings), loop, workers, log);
  auto use = [&]() -> awaitable<void> {
    auto connection = pool->make();
    const auto opened = co_await pool->open(connection);
    REQUIRE(opened);
    pool->put_back(std::move(connection), std::nullopt);
    connection = pool->take_idle(UpstreamPool::Certainty::told);
    REQUIRE(connection);
    pool->put_back(std::move(connection), 3s);
    clock.advance(2s);
    CHECK_FALSE(pool->take_idle(UpstreamPool::Certainty::told));

    connection = pool->make();
    const auto again = co_await pool->open(connection);
    REQUIRE(again);
    clock.advance(UpstreamPool::greatest_age + 1s);
    pool->put_back(std::move(connection), std::nullopt);
    CHECK(pool->idle_count() == 0);
    loop.stop();
  };
  loop.spawn(use());
  loop.run();
  pool->shut_down();
}

TEST_CASE("relay memory: long bodies in great number have smaller blocks than a few") {
  const auto memory = std::make_shared<RelayMemory>();
  auto grown = [&] {
    auto buffer = std::make_unique<RelayBuffer>(memory);
    buffer->filled(buffer->space().size());
    buffer->consume(buffer->size());
    buffer->make_room();
    return buffer;
  };
  std::vector<std::unique_ptr<RelayBuffer>> in_use;
  while (in_use.size() < 1000) in_use.push_back(grown());
  CHECK(in_use.front()->space().size() == RelayMemory::large);
  CHECK(in_use.back()->space().size() == RelayMemory::medium);
  in_use.clear();
  CHECK(grown()->space().size() == RelayMemory::large);
}

TEST_CASE("relay pipes: so many at a time and no more, and one that was given back serves again") {
  const auto pipes = std::make_shared<RelayPipes>();
  std::vector<RelayPipes::Borrowed> borrowed;
  while (auto one = pipes->borrow()) borrowed.push_back(std::move(*one));
  CHECK(borrowed.size() == RelayPipes::most_in_use);
  borrowed.pop_back();
  CHECK(pipes->borrow());
}

TEST_CASE("relay pipes: one in which something was left is not used again") {
  const auto pipes = std::make_shared<RelayPipes>();
  int ends[2];
  REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) == 0);
  const common::UniqueFd sender{ends[0]};
  const common::UniqueFd receiver{ends[1]};
  REQUIRE(::send(sender.get(), "left", 4, 0) == 4);
  {
    auto one = pipes->borrow();
    REQUIRE(one);
    REQUIRE((**one).move_from(receiver.get(), 4) == 4);
  }
  auto next = pipes->borrow();
  REQUIRE(next);
  CHECK((**next).size() == 0);
}

}  // namespace grantd::tests
