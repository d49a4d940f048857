#include "client-lib/src/coarse_deadline.hpp"

#include <doctest/doctest.h>

#include <limits>

using grantd::detail::CoarseDeadline;

namespace {

constexpr std::int64_t in_seconds(std::int64_t count) { return count * 1'000'000'000; }

// The machine was started 1,000 s ago, in 2023.
constexpr CoarseDeadline::Now start{.monotonic = in_seconds(1000), .wall = in_seconds(1'700'000'000)};
const CoarseDeadline an_hour{in_seconds(3600), start};

constexpr CoarseDeadline::Now later(std::int64_t run, std::int64_t slept = 0, std::int64_t set = 0) {
  return {.monotonic = start.monotonic + in_seconds(run), .wall = start.wall + in_seconds(run + slept + set)};
}

}  // namespace

TEST_CASE("coarse deadline: far from its end it tells that enough is left") {
  CHECK(an_hour.is_beyond(0, start));
  CHECK(an_hour.is_beyond(in_seconds(3590), start));
  CHECK(an_hour.is_beyond(in_seconds(10), later(3580)));
}

TEST_CASE("coarse deadline: near its end and after it, it tells nothing") {
  CHECK_FALSE(an_hour.is_beyond(in_seconds(3599), start));
  CHECK_FALSE(an_hour.is_beyond(in_seconds(10), later(3589)));
  CHECK_FALSE(an_hour.is_beyond(0, later(3598)));
  CHECK_FALSE(an_hour.is_beyond(0, later(100'000)));
}

TEST_CASE("coarse deadline: after the machine slept it tells nothing, though it ran for a moment only") {
  CHECK_FALSE(an_hour.is_beyond(0, later(1, 7200)));
  CHECK_FALSE(an_hour.is_beyond(0, later(1, 2)));
}

TEST_CASE("coarse deadline: after the wall clock was set it tells nothing") {
  CHECK_FALSE(an_hour.is_beyond(0, later(1, 0, 3600)));
  CHECK_FALSE(an_hour.is_beyond(0, later(1, 0, -3600)));
}

TEST_CASE("coarse deadline: sleeping that it cannot notice is within its margin") {
  const CoarseDeadline::Now unnoticed{.monotonic = later(3590).monotonic,
                                      .wall = later(3590).wall + CoarseDeadline::tolerance - 1};
  REQUIRE(an_hour.is_beyond(in_seconds(7), unnoticed));
  CHECK_FALSE(an_hour.is_beyond(in_seconds(9), unnoticed));  // no more than that is left
}

TEST_CASE("coarse deadline: numbers that are no times tell nothing wrong") {
  constexpr std::int64_t most = std::numeric_limits<std::int64_t>::max();
  constexpr std::int64_t least = std::numeric_limits<std::int64_t>::min();
  const CoarseDeadline never{most, start};
  CHECK(never.is_beyond(least, start));
  CHECK_FALSE(never.is_beyond(most, start));
  CHECK_FALSE(CoarseDeadline{}.is_beyond(0, start));
}
