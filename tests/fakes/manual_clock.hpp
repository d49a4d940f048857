#pragma once

#include "common/clock.hpp"
#include "common/timer_queue.hpp"

namespace grantd::tests {

/// A clock that moves only when a test says so.
class ManualClock final : public common::Clock {
 public:
  common::BootTime now() const override { return boot_; }
  common::WallTime wall_now() const override { return wall_; }

  void advance(common::BootClock::duration step) {
    boot_ += step;
    wall_ += std::chrono::duration_cast<common::WallTime::duration>(step);
  }
  void set_wall(common::WallTime wall) { wall_ = wall; }

 private:
  common::BootTime boot_{std::chrono::hours{100}};
  common::WallTime wall_{std::chrono::sys_days{std::chrono::year{2026} / 1 / 1}};
};

/// A clock and the timers on it: advancing runs everything that becomes due on the way, each at its own time.
struct ManualTime {
  ManualClock clock;
  common::TimerQueue timers{clock};

  void advance(common::BootClock::duration step) {
    const auto target = clock.now() + step;
    while (const auto next = timers.next_wakeup()) {
      if (*next > target) break;
      if (*next > clock.now()) clock.advance(*next - clock.now());
      timers.run_due();
    }
    clock.advance(target - clock.now());
  }
};

}  // namespace grantd::tests
