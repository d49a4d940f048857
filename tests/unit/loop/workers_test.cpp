#include <doctest/doctest.h>

#include <atomic>
#include <latch>
#include <semaphore>
#include <thread>

#include "daemon/loop/workers.hpp"

using namespace std::chrono_literals;
using grantd::common::SystemClock;
using grantd::daemon::Loop;
using grantd::daemon::Workers;

namespace {

// A job that hangs, as one in a dead resolver does, until the test lets go of it.
struct Hanging {
  std::latch running{1};
  std::latch let_go{1};
  std::move_only_function<void()> job() {
    return [this] {
      running.count_down();
      let_go.wait();
    };
  }
};

void wait_until_idle(const Workers& workers) {
  while (!workers.idle()) std::this_thread::yield();
}

}  // namespace

TEST_CASE("workers: a job runs on another thread and its result arrives on the loop") {
  SystemClock clock;
  Loop loop{clock};
  Workers workers{2, 2};
  int result = 0;
  std::thread::id worked_on, arrived_on;
  workers.run([&] {
    int value = 42;
    worked_on = std::this_thread::get_id();
    loop.post([&, value] {
      result = value;
      arrived_on = std::this_thread::get_id();
      loop.stop();
    });
  });
  loop.run();
  CHECK(result == 42);
  CHECK(arrived_on == std::this_thread::get_id());
  CHECK(worked_on != arrived_on);
  wait_until_idle(workers);
}

TEST_CASE("workers: never more jobs at once than the limit, and none is lost") {
  constexpr int jobs = 200;
  Workers workers{3, 3};
  std::atomic<int> running = 0, most = 0;
  std::latch done{jobs};
  for (int i = 0; i < jobs; ++i) {
    workers.run([&] {
      const int now = ++running;
      for (int seen = most; now > seen && !most.compare_exchange_weak(seen, now);) {
      }
      std::this_thread::yield();
      --running;
      done.count_down();
    });
  }
  done.wait();
  CHECK(most <= 3);
  wait_until_idle(workers);
}

TEST_CASE("workers: a job that hangs holds up the next until it is given up") {
  Workers workers{1, 1};
  Hanging hanging;
  auto ticket = workers.run(hanging.job());
  hanging.running.wait();
  std::binary_semaphore second{0};
  workers.run([&] { second.release(); });
  CHECK_FALSE(second.try_acquire());
  ticket.abandon();
  CHECK(second.try_acquire_for(10s));
  CHECK_FALSE(workers.idle());  // the hanging one is still there
  hanging.let_go.count_down();
  wait_until_idle(workers);
}

TEST_CASE("workers: a job given up before its turn never runs") {
  Workers workers{1, 1};
  Hanging hanging;
  workers.run(hanging.job());
  hanging.running.wait();
  bool ran = false;
  auto ticket = workers.run([&] { ran = true; });
  std::binary_semaphore last{0};
  workers.run([&] { last.release(); });
  ticket.abandon();
  hanging.let_go.count_down();
  CHECK(last.try_acquire_for(10s));
  wait_until_idle(workers);
  CHECK_FALSE(ran);
}

TEST_CASE("workers: only so many hanging jobs are replaced by further threads") {
  Workers workers{1, 1};
  Hanging first, second;
  auto first_ticket = workers.run(first.job());
  first.running.wait();
  first_ticket.abandon();
  auto second_ticket = workers.run(second.job());
  second.running.wait();
  second_ticket.abandon();  // past the bound: it keeps the only slot
  std::binary_semaphore third{0};
  workers.run([&] { third.release(); });
  CHECK_FALSE(third.try_acquire());
  second.let_go.count_down();
  CHECK(third.try_acquire_for(10s));
  first.let_go.count_down();
  wait_until_idle(workers);
}

TEST_CASE("workers: giving up a job that has ended, or twice, changes nothing") {
  Workers workers{1, 1};
  std::binary_semaphore done{0};
  auto ticket = workers.run([&] { done.release(); });
  REQUIRE(done.try_acquire_for(10s));
  wait_until_idle(workers);
  ticket.abandon();
  ticket.abandon();
  Workers::Ticket{}.abandon();
  workers.run([&] { done.release(); });
  CHECK(done.try_acquire_for(10s));
  wait_until_idle(workers);
}

TEST_CASE("workers: a hanging job does not hold up the end of its workers") {
  const auto hanging = std::make_shared<Hanging>();
  const auto queued_ran = std::make_shared<std::atomic<bool>>(false);
  {
    Workers workers{1, 1};
    workers.run([hanging] { hanging->job()(); });
    hanging->running.wait();
    workers.run([queued_ran] { *queued_ran = true; });
  }
  hanging->let_go.count_down();
  CHECK(queued_ran.use_count() == 1);  // dropped, not kept for later
  CHECK_FALSE(*queued_ran);
}
