#pragma once

#include <functional>
#include <map>
#include <optional>

#include "common/clock.hpp"

namespace grantd::common {

class Timer;

/// All deadlines of the event loop. The loop sleeps until `next_wakeup()` and calls `run_due()`; tests
/// advance a clock by hand and do the same. One thread only.
class TimerQueue {
 public:
  explicit TimerQueue(const Clock& clock) : clock_(clock) {}
  TimerQueue(const TimerQueue&) = delete;
  TimerQueue& operator=(const TimerQueue&) = delete;

  BootTime now() const { return clock_.now(); }
  WallTime wall_now() const { return clock_.wall_now(); }

  /// When `run_due` should be called next; it may turn out that nothing is due then.
  std::optional<BootTime> next_wakeup() const;
  /// Runs every action that is due, in order of time. Actions may arm, disarm and destroy timers.
  void run_due();
  /// `hook` is called whenever `next_wakeup()` becomes earlier.
  void on_earlier_wakeup(std::function<void()> hook) { earlier_ = std::move(hook); }

 private:
  friend class Timer;
  using Entries = std::multimap<BootTime, Timer*>;
  Entries::iterator enqueue(BootTime when, Timer& timer);

  const Clock& clock_;
  Entries entries_;
  std::function<void()> earlier_;
};

/// A deadline with something to do at it. Moving it later costs no queue operation, which is what connections
/// do at every request. Destroying it disarms it. It must not outlive its queue.
class Timer {
 public:
  Timer(TimerQueue& queue, std::function<void()> action) : queue_(queue), action_(std::move(action)) {}
  ~Timer();
  Timer(const Timer&) = delete;
  Timer& operator=(const Timer&) = delete;

  /// Runs the action once, at or soon after `when`; replaces what was armed before.
  void arm(BootTime when);
  void arm_after(BootClock::duration delay) { arm(queue_.now() + delay); }
  /// Keeps the queue's entry, which is found stale when its time comes: disarming costs nothing.
  void disarm() { due_.reset(); }
  bool armed() const { return due_.has_value(); }

 private:
  friend class TimerQueue;
  TimerQueue& queue_;
  std::function<void()> action_;
  std::optional<BootTime> due_;
  std::optional<TimerQueue::Entries::iterator> entry_;
};

}  // namespace grantd::common
