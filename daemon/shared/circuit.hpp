#pragma once

#include <algorithm>
#include <chrono>

#include "common/clock.hpp"

namespace grantd::daemon {

/// Whether a store is asked at all. Open, it is left alone but for a probe now and then, at intervals of a
/// second, doubling to thirty. A probe that was answered closes it on trial: the intervals go on from where
/// they were if what it is really for fails next. Pure: `now` and jitter are arguments.
class Circuit {
 public:
  bool closed() const { return closed_; }
  /// It failed, or failed again. `jitter` is in [0, 1) and adds up to a tenth, so that machines that lost it
  /// together do not come back together. When to try next.
  common::BootTime open(common::BootTime now, double jitter) {
    closed_ = false;
    pause_ = std::clamp(pause_ * 2, std::chrono::seconds{1}, std::chrono::seconds{30});
    const std::chrono::duration<double> length{static_cast<double>(pause_.count()) * (1 + 0.1 * jitter)};
    return now + std::chrono::duration_cast<common::BootClock::duration>(length);
  }
  /// It answered a probe.
  void close() { closed_ = true; }
  /// It did what it is for.
  void prove() {
    if (closed_) pause_ = std::chrono::seconds{0};
  }

 private:
  bool closed_ = true;
  std::chrono::seconds pause_{0};
};

}  // namespace grantd::daemon
