#pragma once

#include <coroutine>
#include <exception>
#include <optional>
#include <utility>

namespace grantd::daemon {

template <class T>
class awaitable;

/// What the coroutines of all result types have in common: a coroutine runs at once as far as it can, and
/// whoever awaits it goes on from within its end.
class AwaitablePromise {
 public:
  std::suspend_never initial_suspend() noexcept { return {}; }
  struct AtEnd {
    bool await_ready() noexcept { return false; }
    template <class Promise>
    void await_suspend(std::coroutine_handle<Promise> ended) noexcept {
      const AwaitablePromise& promise = ended.promise();
      if (promise.awaited_by_) promise.awaited_by_.resume();  // may destroy the coroutine that ended
    }
    void await_resume() noexcept {}
  };
  AtEnd final_suspend() noexcept { return {}; }
  void unhandled_exception() noexcept { failure_ = std::current_exception(); }

  void be_awaited_by(std::coroutine_handle<> who) { awaited_by_ = who; }
  void rethrow_failure() const {
    if (failure_) std::rethrow_exception(failure_);
  }

 private:
  std::coroutine_handle<> awaited_by_{};
  std::exception_ptr failure_{};
};

/// The result of a coroutine on the loop's thread: there at once where nothing had to be waited for, which
/// then has cost no more than a call. Awaited at most once; destroying it ends the coroutine wherever it is
/// suspended. The thread of the loop only.
template <class T = void>
class [[nodiscard]] awaitable {
 public:
  struct promise_type : AwaitablePromise {
    awaitable get_return_object() { return awaitable{Handle::from_promise(*this)}; }
    template <class U = T>
    void return_value(U&& value) {
      result.emplace(std::forward<U>(value));
    }
    std::optional<T> result{};
  };

  /// One that is there already, without a coroutine.
  static awaitable ready(T value) { return awaitable{std::move(value)}; }

  awaitable(awaitable&& other) noexcept
      : coroutine_(std::exchange(other.coroutine_, {})), ready_(std::move(other.ready_)) {}
  awaitable& operator=(awaitable&&) = delete;
  ~awaitable() {
    if (coroutine_) coroutine_.destroy();
  }

  bool await_ready() const noexcept { return !coroutine_ || coroutine_.done(); }
  void await_suspend(std::coroutine_handle<> who) noexcept { coroutine_.promise().be_awaited_by(who); }
  T await_resume() {
    if (!coroutine_) return std::move(*ready_);
    coroutine_.promise().rethrow_failure();
    return std::move(*coroutine_.promise().result);
  }

 private:
  using Handle = std::coroutine_handle<promise_type>;
  explicit awaitable(Handle coroutine) : coroutine_(coroutine) {}
  explicit awaitable(T value) : ready_(std::move(value)) {}

  Handle coroutine_{};
  std::optional<T> ready_{};
};

template <>
class [[nodiscard]] awaitable<void> {
 public:
  struct promise_type : AwaitablePromise {
    awaitable get_return_object() { return awaitable{Handle::from_promise(*this)}; }
    void return_void() noexcept {}
  };

  /// One that is there already, without a coroutine.
  static awaitable ready() { return awaitable{Handle{}}; }

  awaitable(awaitable&& other) noexcept : coroutine_(std::exchange(other.coroutine_, {})) {}
  awaitable& operator=(awaitable&&) = delete;
  ~awaitable() {
    if (coroutine_) coroutine_.destroy();
  }

  bool await_ready() const noexcept { return !coroutine_ || coroutine_.done(); }
  void await_suspend(std::coroutine_handle<> who) noexcept { coroutine_.promise().be_awaited_by(who); }
  void await_resume() {
    if (coroutine_) coroutine_.promise().rethrow_failure();
  }

 private:
  using Handle = std::coroutine_handle<promise_type>;
  explicit awaitable(Handle coroutine) : coroutine_(coroutine) {}

  Handle coroutine_;
};

}  // namespace grantd::daemon
