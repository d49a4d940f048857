#pragma once

#include "daemon/loop/waiter.hpp"

namespace grantd::daemon {

/// Lets one coroutine wait for another on the loop's thread. A notification without a waiter is lost: the
/// condition waited for is the waiter's own to check, before and after. The waiter goes on from the loop, not
/// from within `notify`.
class Signal {
 public:
  Signal() = default;
  Signal(const Signal&) = delete;
  Signal& operator=(const Signal&) = delete;

  class Wait : public Waiter {
   public:
    explicit Wait(Signal& signal) : signal_(signal) {}
    bool await_ready() const noexcept { return false; }
    void await_suspend(std::coroutine_handle<> coroutine) {
      suspend(coroutine);
      signal_.waiting_.push(*this);
    }
    void await_resume() const noexcept {}

   private:
    Signal& signal_;
  };
  Wait wait() { return Wait{*this}; }
  void notify() { resumable().take(waiting_); }

 private:
  WaiterList waiting_;
};

}  // namespace grantd::daemon
