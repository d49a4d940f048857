#pragma once

#include <boost/asio/async_result.hpp>
#include <boost/asio/post.hpp>
#include <functional>
#include <utility>

#include "daemon/loop/loop.hpp"

namespace grantd::daemon {

/// Lets one coroutine wait for another on the loop's thread. A notification without a waiter is lost: the
/// condition waited for is the waiter's own to check, before and after. The waiter goes on from the loop, not
/// from within `notify`.
class Signal {
 public:
  explicit Signal(Executor executor) : executor_(executor) {}
  Signal(const Signal&) = delete;
  Signal& operator=(const Signal&) = delete;

  awaitable<void> wait() {
    co_await asio::async_initiate<const asio::use_awaitable_t<Executor>&, void()>(
        [this](auto handler) {
          resume_ = [executor = executor_, waiting = std::move(handler)]() mutable {
            asio::post(executor, std::move(waiting));
          };
        },
        use_awaitable);
  }
  void notify() {
    if (auto resume = std::exchange(resume_, nullptr)) resume();
  }

 private:
  Executor executor_;
  std::move_only_function<void()> resume_;
};

}  // namespace grantd::daemon
