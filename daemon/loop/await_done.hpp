#pragma once

#include <boost/asio/associated_executor.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/post.hpp>
#include <utility>

#include "daemon/loop/loop.hpp"

namespace grantd::daemon {

/// Suspends until what `start` began calls back. `start` is given a function of one Result, to be called once
/// on the loop's thread, also from within. The coroutine goes on through the loop, never inside the call: it
/// may hold the last reference to what calls back.
template <class Result, class Start>
auto await_done(Start start) {
  auto begin = [start = std::move(start)](auto handler) mutable {
    auto executor = asio::get_associated_executor(handler);
    start([executor, handler = std::move(handler)](Result result) mutable {
      asio::post(executor, [handler = std::move(handler), result = std::move(result)]() mutable {
        std::move(handler)(std::move(result));
      });
    });
  };
  return asio::async_initiate<const asio::use_awaitable_t<Executor>, void(Result)>(std::move(begin),
                                                                                   use_awaitable);
}

}  // namespace grantd::daemon
