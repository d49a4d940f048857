#include "daemon/shared/redis_store.hpp"

#include <doctest/doctest.h>

#include <chrono>
#include <memory>
#include <optional>
#include <thread>

#include "tests/fakes/fixed_entropy.hpp"
#include "tests/fakes/log_recorder.hpp"
#include "tests/unit/shared/fleet_fixture.hpp"
#include "tests/unit/shared/played_redis.hpp"

using namespace grantd;
using namespace grantd::tests;
using namespace std::chrono_literals;

namespace {

/// A store on a real loop, whose server the test plays.
struct Stored : PlayedRedis {
  ~Stored() {
    listener.reset();                                   // nor do they wait for what was never accepted
    while (!workers.idle()) std::this_thread::yield();  // they refer to the clock
  }
  bool comes_true(const std::function<bool()>& condition) {
    const auto deadline = clock.now() + 10s;
    while (!condition() && clock.now() < deadline) loop.turn(10ms);
    return condition();
  }

  common::SystemClock clock;
  daemon::Loop loop{clock};
  daemon::Workers workers{4, 4};
  FixedEntropy entropy;
  LogRecorder log;
  CountedSharing metrics;
  std::shared_ptr<daemon::SharedStore> store =
      std::make_shared<daemon::RedisStore>(config::RedisServer{.socket = path}, nullptr, 5s,
                                           daemon::RedisParts{loop, workers, clock, entropy, log, metrics});
};

}  // namespace

TEST_CASE("redis store: whoever is told first that the server has gone may let go of the store") {
  Stored s;
  bool lease_told = false;
  bool late = false;
  s.store->lease(
      {.name = "l", .holder = "h", .duration = 2s}, {"n"}, s.clock.now(),
      [&lease_told](std::optional<daemon::Leased> leased) { lease_told = !leased; },
      [&late] { late = true; });
  auto connection = s.accept();
  hear(connection, 1);
  bool put_told = false;
  s.store->put({.name = "n", .bytes = "b", .life = 10s}, [&](std::optional<daemon::InTheWay> outcome) {
    put_told = !outcome;
    s.store.reset();
  });
  connection.reset();
  CHECK(s.comes_true([&] { return put_told && lease_told; }));
  CHECK(s.store == nullptr);
  CHECK_FALSE(late);
}

TEST_CASE("redis store: one that goes while it waits tells whoever asked") {
  Stored s;
  int told = 0;
  s.store->lease(
      {.name = "l", .holder = "h", .duration = 2s}, {"n"}, s.clock.now(),
      [&told](std::optional<daemon::Leased> leased) { told += leased ? 0 : 1; }, [] {});
  s.store->look_up({"n"}, [&told](std::optional<daemon::StoredEntries> found) { told += found ? 0 : 1; });
  s.store.reset();
  CHECK(told == 2);
}
