#include <doctest/doctest.h>

#include "tests/unit/shared/fleet_fixture.hpp"

using namespace grantd;
using namespace grantd::tests;
using namespace std::chrono_literals;

namespace {

// How long B takes the token of 300 s for valid, its clock being off by so much.
std::optional<std::chrono::nanoseconds> left_at_b(Fleet& f, std::chrono::milliseconds clock_of_b) {
  f.time.clock.set_wall(f.time.clock.wall_now() + clock_of_b);
  f.b.ask();
  f.time.clock.set_wall(f.time.clock.wall_now() - clock_of_b);
  if (f.b.take() != "t shared") return std::nullopt;
  return f.b.last.term->expires - f.time.clock.now();
}

}  // namespace

TEST_CASE("shared times: what was used of a token's life is gone for the others, too") {
  Fleet f;
  f.a.ask();
  f.a.succeed("t");
  f.time.advance(100s);
  CHECK(left_at_b(f, 0ms) == 200s);
  CHECK(f.time.clock.now() - f.b.last.term->obtained == 100s);
}

TEST_CASE("shared times: the life begins when the server was asked, not when the lease was wanted") {
  Fleet f;
  f.b.ask();
  f.a.settings->request_timeout = 8s;
  f.a.ask();
  f.pass(4100ms);
  REQUIRE(f.a.server->requests == 1);
  f.time.advance(1s);
  f.a.succeed("t");
  const auto age = f.time.clock.now() - f.a.last.term->obtained;
  CHECK(age >= 1s);
  CHECK(age < 1200ms);
}

TEST_CASE("shared times: clocks that differ by 30 s give nobody more than there is") {
  for (const auto skew : {-30'000ms, -10'000ms, 10'000ms, 30'000ms}) {
    Fleet f;
    f.a.ask();
    f.a.succeed("t");
    f.time.advance(20s);
    const auto left = left_at_b(f, skew);
    CAPTURE(skew.count());
    REQUIRE(left);
    CHECK(*left <= 280s);
    CHECK(*left >= 250s);
  }
}

TEST_CASE("shared times: what was forced replaces what a machine wrote whose clock is ahead") {
  Fleet f;
  f.time.clock.set_wall(f.time.clock.wall_now() + 30s);
  f.a.ask();
  f.a.succeed("old");
  f.time.clock.set_wall(f.time.clock.wall_now() - 30s);
  f.time.advance(1s);
  f.b.ask({.forced = true});
  f.b.succeed("forced");
  f.a.answers.clear();
  f.a.ask();
  CHECK(f.a.take() == "forced shared");
}

TEST_CASE("shared times: an entry from further in the future is refused") {
  Fleet f;
  f.a.ask();
  f.a.succeed("t");
  CHECK_FALSE(left_at_b(f, -31s));
  CHECK(f.b.metrics.refused.front() == "future");
}

TEST_CASE("shared times: the store may shorten a life, but not lengthen it") {
  Fleet f;
  f.a.ask();
  f.a.succeed("t");
  auto& value = f.names.values.at(f.only_entry());
  SUBCASE("shorter") {
    value.expires = f.time.clock.now() + 100s;
    CHECK(left_at_b(f, 0ms) == 100s);
  }
  SUBCASE("longer") {
    value.expires = f.time.clock.now() + 10'000s;
    CHECK(left_at_b(f, 0ms) == 300s);
    f.time.advance(300s);
    CHECK_FALSE(left_at_b(f, 0ms));
  }
}

TEST_CASE("shared times: the entry ends with the token") {
  Fleet f;
  f.a.ask();
  f.time.advance(2s);
  f.a.succeed("t");
  CHECK(f.names.values.at(f.only_entry()).expires == f.a.last.term->expires);
}

TEST_CASE("shared times: the last tenth of a life is of no use to others") {
  Fleet f;
  f.a.ask();
  f.a.succeed("t", 50s);
  f.time.advance(45s);
  CHECK_FALSE(left_at_b(f, 0ms));
  CHECK(f.b.server->requests == 1);
}
