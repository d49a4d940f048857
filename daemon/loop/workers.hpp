#pragma once

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>

#include "daemon/loop/loop.hpp"

namespace grantd::daemon {

/// Threads for what blocks: requests to authorization servers and name lookups. A job gets values and gives
/// values back to the loop; it must not touch the loop's state.
///
/// A job that does not come back (a resolver that never answers cannot be interrupted) can be given up: its
/// slot is then free for another thread, up to a bound, so that one dead name server does not starve
/// everybody else.
class Workers {
 public:
  /// At most `limit` jobs run at once besides those given up; of these at most `abandoned_limit`.
  Workers(std::size_t limit, std::size_t abandoned_limit);
  /// Drops queued jobs and waits for none: running ones end with the process.
  ~Workers();
  Workers(const Workers&) = delete;
  Workers& operator=(const Workers&) = delete;

  /// A running or queued job, for giving it up. Callable from any thread.
  class Ticket {
   public:
    Ticket() = default;
    /// If the job is still queued it never runs; if it is running, its slot is freed.
    void abandon();

   private:
    friend class Workers;
    std::shared_ptr<struct WorkerState> state_;
    std::shared_ptr<struct WorkerJob> job_;
  };

  /// Runs `job` on a thread soon. Callable from any thread.
  Ticket run(std::move_only_function<void()> job);
  /// Whether every job has ended, also those given up: then threads need not be left behind.
  bool idle() const;

 private:
  std::shared_ptr<struct WorkerState> state_;
};

}  // namespace grantd::daemon
