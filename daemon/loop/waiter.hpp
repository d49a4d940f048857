#pragma once

#include <coroutine>

namespace grantd::daemon {

class WaiterList;

/// A suspended coroutine's place in the list of what it waits for. It lives on the coroutine's frame and
/// leaves its list by itself when the frame goes.
class Waiter {
 public:
  Waiter() = default;
  ~Waiter() { leave(); }
  Waiter(const Waiter&) = delete;
  Waiter& operator=(const Waiter&) = delete;

  void resume() { suspended_.resume(); }
  void interrupt() { interrupted_ = true; }
  /// Whether what it waited for did not come about.
  bool interrupted() const { return interrupted_; }

 protected:
  void suspend(std::coroutine_handle<> coroutine) { suspended_ = coroutine; }

 private:
  friend class WaiterList;
  void leave() {
    before_->after_ = after_;
    after_->before_ = before_;
    before_ = after_ = this;
  }

  Waiter* before_ = this;
  Waiter* after_ = this;
  std::coroutine_handle<> suspended_{};
  bool interrupted_ = false;
};

/// Waiters in order of their coming. Those that are left when the list goes are in none.
class WaiterList {
 public:
  WaiterList() = default;
  ~WaiterList() {
    while (!empty()) pop();
  }
  WaiterList(const WaiterList&) = delete;
  WaiterList& operator=(const WaiterList&) = delete;

  bool empty() const { return end_.after_ == &end_; }
  /// Takes it out of the list it is in.
  void push(Waiter& waiter) {
    waiter.leave();
    waiter.before_ = end_.before_;
    waiter.after_ = &end_;
    end_.before_->after_ = &waiter;
    end_.before_ = &waiter;
  }
  Waiter& pop() {
    Waiter& first = *end_.after_;
    first.leave();
    return first;
  }
  /// Appends all of `other`.
  void take(WaiterList& other) {
    while (!other.empty()) push(*other.end_.after_);
  }

 private:
  Waiter end_;
};

/// The coroutines of this thread that can go on: its loop resumes them in its next turn, in this order. What
/// must not go on from within a call is put here.
inline WaiterList& resumable() {
  static thread_local WaiterList list;
  return list;
}

/// Awaited: lets the loop and everybody else have a turn.
class OthersTurn : public Waiter {
 public:
  OthersTurn() {}
  bool await_ready() const noexcept { return false; }
  void await_suspend(std::coroutine_handle<> coroutine) {
    suspend(coroutine);
    resumable().push(*this);
  }
  void await_resume() const noexcept {}
};

}  // namespace grantd::daemon
