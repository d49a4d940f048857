#pragma once

#include <algorithm>
#include <cstdint>

namespace grantd::detail {

/// A time of CLOCK_BOOTTIME as seen by the two clocks that stand still between ticks of the kernel, which
/// together cost half as much to read. The monotonic one leaves out the time that the machine sleeps, and the
/// wall clock may be set; but then they are further apart than before, or closer. (A wall clock that is set
/// back by just as long as the machine slept, to the second, would hide the sleep.) Times are nanoseconds.
class CoarseDeadline {
 public:
  struct Now {
    std::int64_t monotonic;  // CLOCK_MONOTONIC_COARSE, read first
    std::int64_t wall;       // CLOCK_REALTIME_COARSE
  };

  /// One that can tell nothing.
  CoarseDeadline() = default;
  /// `left`, not negative: until the time, by CLOCK_BOOTTIME, read right after `now`.
  CoarseDeadline(std::int64_t left, const Now& now)
      : end_(now.monotonic + std::min(left, longest)), apart_(now.wall - now.monotonic) {}

  /// Whether more than `time` is left for certain. False may also be that it cannot be told.
  bool is_beyond(std::int64_t time, const Now& now) const {
    const std::int64_t moved = now.wall - now.monotonic - apart_;
    return end_ - now.monotonic - margin > time && moved < tolerance && moved > -tolerance;
  }

  /// Between what is noticed and what the margin allows for.
  static constexpr std::int64_t tolerance = 1'000'000'000;
  /// For what the tolerance does not show, and for a tick that is late.
  static constexpr std::int64_t margin = 2 * tolerance;

 private:
  static constexpr std::int64_t longest = std::int64_t{1} << 62;  // what a page says may be anything

  std::int64_t end_ = 0;
  std::int64_t apart_ = 0;
};

}  // namespace grantd::detail
