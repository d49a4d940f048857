#pragma once

#include <algorithm>
#include <chrono>

#include "common/clock.hpp"

namespace grantd::daemon {

/// Whether a store is asked at all. Open, it is left alone but for a probe now and then, at intervals of a
/// second, doubling to thirty. Pure: `now` and jitter are arguments.
class Circuit {
 public:
  bool closed() const { return pause_ == std::chrono::seconds{0}; }
  /// It failed, or failed again. `jitter` is in [0, 1) and adds up to a tenth, so that machines that lost it
  /// together do not come back together. When to try next.
  common::BootTime open(common::BootTime now, double jitter) {
    pause_ = std::clamp(pause_ * 2, std::chrono::seconds{1}, std::chrono::seconds{30});
    const std::chrono::duration<double> length{static_cast<double>(pause_.count()) * (1 + 0.1 * jitter)};
    return now + std::chrono::duration_cast<common::BootClock::duration>(length);
  }
  /// It answered.
  void close() { pause_ = std::chrono::seconds{0}; }

 private:
  std::chrono::seconds pause_{0};
};

}  // namespace grantd::daemon
