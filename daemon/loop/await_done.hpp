#pragma once

#include <memory>
#include <optional>
#include <utility>

#include "daemon/loop/awaitable.hpp"
#include "daemon/loop/signal.hpp"

namespace grantd::daemon {

/// Suspends until what `start` began calls back. `start` is given a function of one Result, to be called once
/// on the loop's thread, also from within. The coroutine goes on through the loop, never inside the call: it
/// may hold the last reference to what calls back.
template <class Result, class Start>
awaitable<Result> await_done(Start start) {
  struct Outcome {
    std::optional<Result> result{};
    Signal came{};
  };
  const auto outcome = std::make_shared<Outcome>();
  start([outcome](Result result) {
    outcome->result.emplace(std::move(result));
    outcome->came.notify();
  });
  // Also where it called back from within.
  if (outcome->result) co_await OthersTurn{};
  while (!outcome->result) co_await outcome->came.wait();
  co_return std::move(*outcome->result);
}

}  // namespace grantd::daemon
