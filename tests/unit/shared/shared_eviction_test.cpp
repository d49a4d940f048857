#include <doctest/doctest.h>

#include "tests/unit/shared/fleet_fixture.hpp"

using namespace grantd;
using namespace grantd::tests;
using namespace std::chrono_literals;

TEST_CASE("shared eviction: what could not be deleted is when the store is there again") {
  Fleet f;
  f.a.ask();
  f.a.succeed("t");
  f.time.advance(1s);
  bool dropped = false;
  const auto before_drop = f.names.values;
  SUBCASE("that was away") {
    f.a.store->up = false;
    f.a.fetcher.drop({{.variant = {}}}, [&dropped] { dropped = true; });
    f.pass(100s);
    f.a.store->up = true;
  }
  SUBCASE("that does not say what stands there") {
    f.a.store->withholds = true;
    f.a.fetcher.drop({{.variant = {}}}, [&dropped] { dropped = true; });
    f.names.values = before_drop;
    f.pass(100s);
    f.a.store->withholds = false;
  }
  SUBCASE("and had refused") {
    const auto before = f.names.values;
    f.a.fetcher.drop({{.variant = {}}}, [&dropped] { dropped = true; });
    f.names.values = before;
  }
  CHECK(dropped);
  CHECK(f.names.count() > 0);
  f.pass(31s);
  CHECK(f.names.count() == 0);
  f.pass(31s);
  CHECK(f.a.memory.evictions.empty());
}

TEST_CASE("shared eviction: however often a token is dropped while the store is away, one deletion waits") {
  Fleet f;
  f.a.store->up = false;
  for (int i = 0; i < 100; ++i) {
    f.a.fetcher.drop({{.variant = {}}, {.variant = {.scope = {"s"}}}}, [] {});
    f.a.fetcher.drop({{.variant = {.scope = {"s"}}}}, [] {});
  }
  CHECK(f.a.memory.evictions.size() == 2);
  f.a.store->up = true;
  f.pass(61s);
  CHECK(f.a.memory.evictions.empty());
}

TEST_CASE("shared eviction: what another machine writes between a late look and the deletion stays") {
  Fleet f;
  f.a.ask();
  f.a.succeed("t");
  f.time.advance(1s);
  f.a.store->up = false;
  f.a.fetcher.drop({{.version = version("t"), .expires = f.a.last.term->expires}}, [] {});
  f.a.store->up = true;
  f.time.advance(10s);
  REQUIRE(f.a.store->pending.size() == 1);
  f.a.store->after_look_up = [&f] {
    f.b.ask({.forced = true});
    f.b.succeed("u");
  };
  f.a.store->settle();
  f.a.ask();
  CHECK(f.a.answers.back() == "u shared");
}

TEST_CASE("shared eviction: what another machine wrote after a drop is not deleted late") {
  Fleet f;
  f.a.ask();
  f.a.succeed("t");
  f.time.advance(1s);
  f.a.store->up = false;
  f.a.fetcher.drop({{.version = version("t"), .expires = f.a.last.term->expires}}, [] {});
  f.time.advance(1s);
  f.b.ask({.forced = true});
  f.b.succeed("u");
  f.a.store->up = true;
  f.pass(31s);
  CHECK(f.a.memory.evictions.empty());
  f.a.ask();
  CHECK(f.a.answers.back() == "u shared");
}

TEST_CASE("shared eviction: what was asked for before a drop is not written after it") {
  Fleet f;
  f.a.ask();
  f.a.fetcher.drop({{.variant = {}}}, [] {});
  f.a.succeed("t");
  CHECK(f.a.take() == "t");
  CHECK(f.names.count() == 0);
}

TEST_CASE("shared eviction: what is asked for after a drop is shared, though the wait for it began before") {
  Fleet f;
  f.b.ask();
  f.a.ask();  // waits
  f.a.fetcher.drop({{.variant = {}}}, [] {});
  f.pass(100ms);
  f.b.server->fail(daemon::FetchError::Memory::none, common::ErrorCode::token_request_rejected);
  f.pass(400ms);
  f.a.succeed("t");
  CHECK(f.a.take() == "t");
  CHECK(f.names.count() == 1);
}

TEST_CASE("shared eviction: what another machine asked for before a drop is deleted once it has written it") {
  Fleet f;
  f.b.ask();
  f.time.advance(1s);
  bool dropped = false;
  f.a.fetcher.drop({{.variant = {}}}, [&dropped] { dropped = true; });
  CHECK(dropped);
  f.pass(500ms);
  f.b.succeed("t");
  CHECK(f.names.count() == 1);
  f.pass(10s);
  CHECK(f.names.count() == 0);
  CHECK(f.a.memory.evictions.empty());
}

TEST_CASE("shared eviction: however many variants are dropped, whoever asked is told once") {
  Fleet f;
  std::vector<daemon::DroppedToken> many(1000);
  for (std::size_t i = 0; i < many.size(); ++i) many[i].variant.scope = {std::to_string(i)};
  f.a.ask({}, many.back().variant);
  f.a.succeed("t");
  int told = 0;
  f.a.fetcher.drop(std::move(many), [&told] { ++told; });
  CHECK(told == 1);
  CHECK(f.names.count() == 0);
}

TEST_CASE("shared eviction: a drop while the token is being written takes it away all the same") {
  Fleet f;
  f.a.ask();
  f.a.server->succeed("t");  // the write is on its way
  REQUIRE(f.a.store->pending.size() == 1);
  f.a.fetcher.drop({{.variant = {}}}, [] {});
  f.a.store->settle();
  CHECK(f.names.count() == 0);
  CHECK(f.a.memory.under_way.empty());
}

TEST_CASE("shared eviction: what another machine asked for after a drop stays, however wrong its clock is") {
  Fleet f;
  f.a.fetcher.drop({{.variant = {}}}, [] {});
  f.pass(500ms, {&f.a});
  const auto wall = f.time.clock.wall_now();
  f.time.clock.set_wall(wall - 20s);
  f.b.ask();
  f.b.succeed("t");
  f.time.clock.set_wall(wall);
  f.pass(10s, {&f.a});
  CHECK(f.names.count() == 1);
  CHECK(f.a.memory.evictions.empty());
}

TEST_CASE("shared eviction: a write that is answered after a drop takes away nothing but itself") {
  Fleet f;
  f.a.ask();
  f.a.server->succeed("t");
  f.a.fetcher.drop({{.variant = {}}}, [] {});
  f.time.advance(100ms);
  f.b.ask({.forced = true});
  f.b.succeed("u");
  f.a.store->settle();  // and u is in its way
  CHECK(f.names.count() == 1);
}

TEST_CASE("shared eviction: one that cannot be done within a day is given up") {
  Fleet f;
  f.a.store->up = false;
  f.a.fetcher.drop({{.variant = {}}}, [] {});
  f.time.advance(23h);
  CHECK(f.a.memory.evictions.size() == 1);
  f.time.advance(2h);
  CHECK(f.a.memory.evictions.empty());
}

TEST_CASE("shared eviction: a cache that another has taken the place of begins none") {
  Fleet f;
  f.a.ask();
  f.a.succeed("t");
  f.a.ask({.refused = {version("t")}});
  f.a.store->up = false;
  f.a.cache->retire();
  f.a.succeed("u");
  CHECK(f.a.take() == "t");
  CHECK(f.a.take() == "u");
  bool told = false;
  f.a.fetcher.drop({{.variant = {}}}, [&told] { told = true; });
  CHECK(told);
  CHECK(f.a.memory.evictions.empty());
}

TEST_CASE("shared eviction: what was asked for before a drop goes, though Redis takes its time") {
  Fleet f;
  f.b.ask();
  f.time.advance(20ms);
  f.a.fetcher.drop({{.variant = {}}}, [] {});
  f.a.store->settle();
  SUBCASE("to write it") {
    f.b.server->succeed("t");
    f.time.advance(50ms);
    f.b.store->settle();
  }
  SUBCASE("to show it") {
    f.b.succeed("t");
    f.a.store->after_look_up = [&f] { f.time.clock.advance(40ms); };
  }
  CHECK(f.names.count() == 1);
  f.pass(15s);
  CHECK(f.names.count() == 0);
}
