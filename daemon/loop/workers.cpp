// Threads are made on demand and detached: one that hangs in the resolver cannot be joined. They share
// ownership of the queue's state, so that they may outlive the Workers object.
#include "daemon/loop/workers.hpp"

#include <system_error>
#include <thread>

#include "common/signals_blocked.hpp"

namespace grantd::daemon {

struct WorkerJob {
  enum class Phase { queued, running, abandoned, done };
  std::move_only_function<void()> work;
  Phase phase = Phase::queued;
};

struct WorkerState : std::enable_shared_from_this<WorkerState> {
  const std::size_t limit;
  const std::size_t abandoned_limit;
  mutable std::mutex mutex;
  std::condition_variable changed;
  std::deque<std::shared_ptr<WorkerJob>> queue;  // the rest is guarded by mutex
  std::size_t threads = 0;                       // not counting those in abandoned jobs
  std::size_t sleeping = 0;
  std::size_t abandoned = 0;
  bool stopping = false;

  WorkerState(std::size_t most, std::size_t most_abandoned) : limit(most), abandoned_limit(most_abandoned) {}

  void start_thread_if_needed() {
    if (queue.empty() || sleeping >= queue.size() || threads >= limit) return;
    ++threads;
    const common::SignalsBlocked blocked;
    try {
      std::thread([self = shared_from_this()] { self->work(); }).detach();
    } catch (const std::system_error&) {
      --threads;  // the job waits for a thread that is there already, or for its caller's deadline
    }
  }

  void work() {
    std::unique_lock lock{mutex};
    while (true) {
      ++sleeping;
      const bool woken =
          changed.wait_for(lock, std::chrono::seconds{30}, [this] { return stopping || !queue.empty(); });
      --sleeping;
      if (stopping || !woken) break;
      const std::shared_ptr<WorkerJob> job = queue.front();
      queue.pop_front();
      if (job->phase != WorkerJob::Phase::queued) continue;
      job->phase = WorkerJob::Phase::running;
      lock.unlock();
      job->work();
      job->work = nullptr;
      lock.lock();
      if (job->phase == WorkerJob::Phase::abandoned) {
        --abandoned;
        return;  // another thread has this one's place
      }
      job->phase = WorkerJob::Phase::done;
    }
    --threads;
  }
};

Workers::Workers(std::size_t limit, std::size_t abandoned_limit)
    : state_(std::make_shared<WorkerState>(limit, abandoned_limit)) {}

Workers::~Workers() {
  const std::lock_guard lock{state_->mutex};
  state_->stopping = true;
  state_->queue.clear();
  state_->changed.notify_all();
}

Workers::Ticket Workers::run(std::move_only_function<void()> work) {
  Ticket ticket;
  ticket.state_ = state_;
  ticket.job_ = std::make_shared<WorkerJob>();
  ticket.job_->work = std::move(work);
  const std::lock_guard lock{state_->mutex};
  state_->queue.push_back(ticket.job_);
  state_->start_thread_if_needed();
  state_->changed.notify_one();
  return ticket;
}

bool Workers::idle() const {
  const std::lock_guard lock{state_->mutex};
  return state_->queue.empty() && state_->abandoned == 0 && state_->threads == state_->sleeping;
}

void Workers::Ticket::abandon() {
  if (!job_) return;
  const std::lock_guard lock{state_->mutex};
  if (job_->phase == WorkerJob::Phase::queued) {
    job_->phase = WorkerJob::Phase::done;
    std::erase(state_->queue, job_);
  } else if (job_->phase == WorkerJob::Phase::running && state_->abandoned < state_->abandoned_limit) {
    job_->phase = WorkerJob::Phase::abandoned;
    ++state_->abandoned;
    --state_->threads;
    state_->start_thread_if_needed();
  }
}

}  // namespace grantd::daemon
