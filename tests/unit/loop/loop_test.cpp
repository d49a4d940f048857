#include <doctest/doctest.h>

#include <thread>

#include "daemon/loop/loop.hpp"

using namespace std::chrono_literals;
using grantd::common::SystemClock;
using grantd::common::Timer;
using grantd::daemon::Loop;

TEST_CASE("loop: what another thread posts runs on the loop's thread") {
  SystemClock clock;
  Loop loop{clock};
  std::thread::id ran_on;
  std::thread poster{[&] {
    loop.post([&] {
      ran_on = std::this_thread::get_id();
      loop.stop();
    });
  }};
  loop.run();
  poster.join();
  CHECK(ran_on == std::this_thread::get_id());
}

TEST_CASE("loop: a posted action does not run within post") {
  SystemClock clock;
  Loop loop{clock};
  bool ran = false;
  loop.post([&] {
    loop.post([&] {
      ran = true;
      loop.stop();
    });
    CHECK_FALSE(ran);
  });
  loop.run();
  CHECK(ran);
}

TEST_CASE("loop: timers fire in order of their time, not before it") {
  SystemClock clock;
  Loop loop{clock};
  std::string order;
  const auto begun = clock.now();
  Timer late{loop.timers(), [&] {
               order += "late";
               CHECK(clock.now() - begun >= 40ms);
               loop.stop();
             }};
  Timer early{loop.timers(), [&] { order += "early "; }};
  late.arm_after(40ms);
  early.arm_after(10ms);
  loop.run();
  CHECK(order == "early late");
}

TEST_CASE("loop: a timer armed while another is waited for wakes the loop in time") {
  SystemClock clock;
  Loop loop{clock};
  const auto begun = clock.now();
  Timer far{loop.timers(), [] {}};
  Timer near{loop.timers(), [&] { loop.stop(); }};
  far.arm_after(1h);
  loop.post([&] { near.arm_after(10ms); });
  loop.run();
  CHECK(clock.now() - begun < 10s);
}

TEST_CASE("loop: a timer whose time has passed already fires at once") {
  SystemClock clock;
  Loop loop{clock};
  Timer timer{loop.timers(), [&] { loop.stop(); }};
  timer.arm(grantd::common::BootTime{});
  const auto begun = clock.now();
  loop.run();
  CHECK(clock.now() - begun < 10s);
}
