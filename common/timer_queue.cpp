// A timer that is moved later, or disarmed, leaves its entry where it is; the entry is looked at again when
// its old time comes. A connection that answers ten thousand requests a second thus touches the queue once a
// minute.
#include "common/timer_queue.hpp"

namespace grantd::common {

std::optional<BootTime> TimerQueue::next_wakeup() const {
  if (entries_.empty()) return std::nullopt;
  return entries_.begin()->first;
}

TimerQueue::Entries::iterator TimerQueue::enqueue(BootTime when, Timer& timer) {
  const bool earlier = entries_.empty() || when < entries_.begin()->first;
  const auto entry = entries_.emplace(when, &timer);
  if (earlier && earlier_) earlier_();
  return entry;
}

void TimerQueue::run_due() {
  const BootTime start = now();
  while (!entries_.empty() && entries_.begin()->first <= start) {
    Timer& timer = *entries_.begin()->second;
    entries_.erase(entries_.begin());
    timer.entry_.reset();
    if (!timer.due_) continue;
    if (*timer.due_ > start) {
      timer.entry_ = enqueue(*timer.due_, timer);
      continue;
    }
    timer.due_.reset();
    timer.action_();  // may destroy the timer
  }
}

Timer::~Timer() {
  if (entry_) queue_.entries_.erase(*entry_);
}

void Timer::arm(BootTime when) {
  due_ = when;
  if (entry_) {
    if ((*entry_)->first <= when) return;
    queue_.entries_.erase(*entry_);
  }
  entry_ = queue_.enqueue(when, *this);
}

}  // namespace grantd::common
