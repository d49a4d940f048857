#pragma once

#include <sys/epoll.h>

#include <array>
#include <atomic>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

#include "common/timer_queue.hpp"
#include "common/unique_fd.hpp"
#include "daemon/loop/awaitable.hpp"
#include "daemon/loop/waiter.hpp"
#include "daemon/loop/watched_fd.hpp"

namespace grantd::daemon {

/// The event loop: one thread that owns all state of the daemon. Everything here is for that thread only,
/// except `post` and `stop`.
class Loop {
 public:
  explicit Loop(const common::Clock& clock);
  /// Ends the coroutines that are still suspended.
  ~Loop();
  Loop(const Loop&) = delete;
  Loop& operator=(const Loop&) = delete;

  /// Deadlines, driven by one timerfd on CLOCK_BOOTTIME.
  common::TimerQueue& timers() { return timers_; }

  /// Runs `action` on the loop's thread soon; callable from any thread.
  void post(std::move_only_function<void()> action);

  using Ended = std::move_only_function<void(std::exception_ptr failure)>;
  /// Holds a coroutine until it ends, then calls `ended`, also from within. What `ended` holds is destroyed
  /// after the coroutine, also where that has not ended when the loop goes.
  void spawn(awaitable<> coroutine, Ended ended);
  /// The same for one whose end interests nobody.
  void spawn(awaitable<> coroutine) {
    spawn(std::move(coroutine), [](std::exception_ptr) {});
  }

  /// Returns after `stop`.
  void run();
  /// Callable from any thread. Without a `run` under way, the next one returns at once.
  void stop();
  /// One round of what `run` does, which waits at most so long for something to do.
  void turn(std::chrono::milliseconds longest);

 private:
  friend class WatchedFd;
  class Spawned;
  /// Whether the kernel agreed.
  bool watch(int operation, int descriptor, std::uint32_t events, WatchedFd& watched);
  void forget(const WatchedFd& watched);

  void turn_for(int milliseconds);
  void run_posted();
  void wake();
  void set_alarm();
  void ring();

  common::TimerQueue timers_;
  common::UniqueFd epoll_;
  std::array<epoll_event, 512> events_{};
  std::size_t event_ = 0;  // the one that is dealt with
  std::size_t event_count_ = 0;
  WatchedFd alarm_{*this};
  WatchedFd woken_{*this};
  std::atomic<bool> stopped_ = false;

  std::mutex mutex_;
  std::vector<std::move_only_function<void()>> posted_;  // guarded by mutex_
  std::atomic<bool> anything_posted_ = false;

  Spawned* spawned_ = nullptr;  // the list of those that have not ended
};

}  // namespace grantd::daemon
