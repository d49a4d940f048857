#include <doctest/doctest.h>

#include <stdexcept>
#include <string>

#include "daemon/loop/await_done.hpp"
#include "daemon/loop/loop.hpp"

namespace grantd::tests {
namespace {

using namespace std::chrono_literals;
using daemon::awaitable;

struct LoopFixture {
  common::SystemClock clock;
  daemon::Loop loop{clock};
  void turns(int number) {
    for (int i = 0; i < number; ++i) loop.turn(0ms);
  }
};

struct SetAtEnd {
  bool& flag;
  explicit SetAtEnd(bool& f) : flag(f) {}
  SetAtEnd(const SetAtEnd&) = delete;
  SetAtEnd& operator=(const SetAtEnd&) = delete;
  ~SetAtEnd() { flag = true; }
};

awaitable<int> number(int value) { co_return value; }

awaitable<int> failing() {
  throw std::runtime_error("it failed");
  co_return 0;
}

TEST_CASE("coroutines: one that waits for nothing has run when the call returns") {
  LoopFixture f;
  int result = 0;
  auto sum = [&]() -> awaitable<> {
    const int first = co_await number(1);
    const int second = co_await awaitable<int>::ready(2);
    result = first + second;
  };
  auto running = sum();
  CHECK(running.await_ready());
  CHECK(result == 3);
}

TEST_CASE("coroutines: an exception reaches whoever awaits, and in the end the one who spawned") {
  LoopFixture f;
  std::string what;
  auto pass_on = []() -> awaitable<> { co_await failing(); };
  f.loop.spawn(pass_on(), [&](std::exception_ptr failure) {
    try {
      std::rethrow_exception(failure);
    } catch (const std::exception& error) {
      what = error.what();
    }
  });
  CHECK(what == "it failed");
}

TEST_CASE("coroutines: a signal resumes who waits, in the loop's next turn and not from within") {
  LoopFixture f;
  daemon::Signal signal;
  int seen = 0;
  bool ended = false;
  auto wait = [&]() -> awaitable<> {
    co_await signal.wait();
    ++seen;
    co_await signal.wait();
    ++seen;
  };
  f.loop.spawn(wait(), [&](std::exception_ptr) { ended = true; });
  signal.notify();
  signal.notify();  // nobody waits any more
  CHECK(seen == 0);
  f.turns(1);
  CHECK(seen == 1);
  f.turns(1);
  CHECK(seen == 1);
  signal.notify();
  f.turns(1);
  CHECK(seen == 2);
  CHECK(ended);
}

TEST_CASE("coroutines: others have their turn before one goes on that gave way") {
  LoopFixture f;
  std::string order;
  auto giving_way = [&](char name) -> awaitable<> {
    order += name;
    co_await daemon::OthersTurn{};
    order += name;
  };
  f.loop.spawn(giving_way('a'));
  f.loop.spawn(giving_way('b'));
  CHECK(order == "ab");
  f.turns(1);
  CHECK(order == "abab");
}

TEST_CASE("coroutines: a callback's result arrives through the loop, also where it is called at once") {
  LoopFixture f;
  std::move_only_function<void(int)> call_back;
  int first = 0, second = 0;
  auto ask = [&]() -> awaitable<> {
    first = co_await daemon::await_done<int>([](auto done) { done(1); });
    second = co_await daemon::await_done<int>([&](auto done) { call_back = std::move(done); });
  };
  f.loop.spawn(ask());
  CHECK(first == 0);
  f.turns(1);
  CHECK(first == 1);
  REQUIRE(call_back);
  call_back(2);
  CHECK(second == 0);
  f.turns(1);
  CHECK(second == 2);
}

TEST_CASE("coroutines: what is suspended when the loop goes is destroyed, what it awaits first") {
  bool inner_gone = false, outer_gone = false, held_gone = false;
  daemon::Signal never;
  bool ended = false;
  {
    LoopFixture f;
    auto inner = [&]() -> awaitable<> {
      const SetAtEnd guard{inner_gone};
      co_await never.wait();
    };
    auto outer = [&]() -> awaitable<> {
      const SetAtEnd guard{outer_gone};
      co_await inner();
    };
    auto held = std::make_shared<SetAtEnd>(held_gone);
    f.loop.spawn(outer(), [&ended, held = std::move(held)](std::exception_ptr) { ended = true; });
    CHECK_FALSE(inner_gone);
  }
  CHECK(inner_gone);
  CHECK(outer_gone);
  CHECK(held_gone);
  CHECK_FALSE(ended);
  never.notify();  // nobody is left in its list
}

}  // namespace
}  // namespace grantd::tests
