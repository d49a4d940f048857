#include "common/timer_queue.hpp"

#include <doctest/doctest.h>

#include <memory>
#include <string>

#include "tests/fakes/manual_clock.hpp"

using namespace std::chrono_literals;
using grantd::common::Timer;

TEST_CASE("timer queue: actions run in the order of their times") {
  grantd::tests::ManualTime time;
  std::string order;
  Timer late{time.timers, [&] { order += "late "; }};
  Timer early{time.timers, [&] { order += "early "; }};
  late.arm_after(2s);
  early.arm_after(1s);
  time.advance(3s);
  CHECK(order == "early late ");
}

TEST_CASE("timer queue: a timer moved later runs once, at the later time") {
  grantd::tests::ManualTime time;
  int runs = 0;
  Timer timer{time.timers, [&] { ++runs; }};
  timer.arm_after(1s);
  timer.arm_after(5s);
  time.advance(4s);
  CHECK(runs == 0);
  time.advance(1s);
  CHECK(runs == 1);
  time.advance(10s);
  CHECK(runs == 1);
}

TEST_CASE("timer queue: a timer moved earlier runs at the earlier time and wakes the loop") {
  grantd::tests::ManualTime time;
  int runs = 0;
  int wakeups = 0;
  Timer timer{time.timers, [&] { ++runs; }};
  time.timers.on_earlier_wakeup([&] { ++wakeups; });
  timer.arm_after(5s);
  timer.arm_after(1s);
  CHECK(wakeups == 2);
  time.advance(1s);
  CHECK(runs == 1);
}

TEST_CASE("timer queue: a disarmed or destroyed timer does nothing") {
  grantd::tests::ManualTime time;
  int runs = 0;
  Timer disarmed{time.timers, [&] { ++runs; }};
  disarmed.arm_after(1s);
  disarmed.disarm();
  {
    Timer destroyed{time.timers, [&] { ++runs; }};
    destroyed.arm_after(1s);
  }
  time.advance(2s);
  CHECK(runs == 0);
}

TEST_CASE("timer queue: an action may destroy its own timer and another due one") {
  grantd::tests::ManualTime time;
  int others = 0;
  std::unique_ptr<Timer> self;
  auto other = std::make_unique<Timer>(time.timers, [&] { ++others; });
  self = std::make_unique<Timer>(time.timers, [&] {
    other.reset();
    self.reset();
  });
  self->arm_after(1s);
  other->arm_after(2s);
  time.advance(3s);
  CHECK(others == 0);
  CHECK(self == nullptr);
}
