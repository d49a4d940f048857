#pragma once

#include <chrono>
#include <cstdint>
#include <ratio>

namespace grantd::common {

/// CLOCK_BOOTTIME: no change of the wall clock moves it, and time spent suspended counts.
struct BootClock {
  using rep = std::int64_t;
  using period = std::nano;
  using duration = std::chrono::nanoseconds;
  using time_point = std::chrono::time_point<BootClock>;
  static constexpr bool is_steady = true;
};
using BootTime = BootClock::time_point;
using WallTime = std::chrono::system_clock::time_point;

/// The seam that lets tests move time. Implementations may be called from any thread.
class Clock {
 public:
  virtual ~Clock() = default;
  virtual BootTime now() const = 0;
  virtual WallTime wall_now() const = 0;
};

/// The machine's clocks.
class SystemClock final : public Clock {
 public:
  BootTime now() const override;
  WallTime wall_now() const override;
};

}  // namespace grantd::common
