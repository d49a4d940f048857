#include <doctest/doctest.h>

#include <atomic>
#include <latch>

#include "daemon/app/known_accounts.hpp"
#include "tests/fakes/manual_clock.hpp"

using namespace std::chrono_literals;
using grantd::daemon::AccountLookup;
using grantd::daemon::KnownAccounts;
using grantd::daemon::Loop;
using grantd::tests::ManualClock;

namespace {

// A name service that a test holds up and lets go.
struct Fixture {
  ManualClock clock;
  Loop loop{clock};
  std::atomic<int> asked = 0;
  std::atomic<bool> carol_exists = false;
  std::latch answering{1};
  KnownAccounts accounts{
      loop, AccountLookup{.user = [this](const std::string&) -> std::optional<uid_t> {
                            ++asked;
                            answering.wait();
                            if (!carol_exists) return std::nullopt;
                            return 1003;
                          },
                          .group = [](const std::string&) -> std::optional<gid_t> { return std::nullopt; }}};
  AccountLookup lookup = accounts.lookup();

  // Until the thread is done and what it found has arrived.
  void settle() {
    while (!accounts.idle()) std::this_thread::yield();
    loop.turn(0ms);
  }
};

}  // namespace

TEST_CASE("known accounts: what a configuration's reader found is known at once, and nobody is asked") {
  Fixture f;
  f.accounts.learn(
      {.users = {{"alice", 1001}, {"nobody-here", std::nullopt}}, .groups = {{"workers", 2001}}});
  CHECK(f.lookup.user("alice") == uid_t{1001});
  CHECK(f.lookup.group("workers") == gid_t{2001});
  CHECK(f.asked == 0);
  f.answering.count_down();
}

TEST_CASE("known accounts: a name service that hangs holds up nobody, and its answer counts when it comes") {
  Fixture f;
  f.carol_exists = true;
  for (int i = 0; i < 100; ++i) CHECK_FALSE(f.lookup.user("carol").has_value());
  f.answering.count_down();
  f.settle();
  CHECK(f.lookup.user("carol") == uid_t{1003});
  CHECK(f.asked == 1);
}

TEST_CASE("known accounts: what is unknown is asked for again after ten seconds, and what is known never") {
  Fixture f;
  f.answering.count_down();
  CHECK_FALSE(f.lookup.user("carol").has_value());
  f.settle();
  f.carol_exists = true;
  f.clock.advance(9s);
  CHECK_FALSE(f.lookup.user("carol").has_value());
  f.settle();
  CHECK_FALSE(f.lookup.user("carol").has_value());
  CHECK(f.asked == 1);
  f.clock.advance(1s);
  CHECK_FALSE(f.lookup.user("carol").has_value());
  f.settle();
  for (int i = 0; i < 10; ++i) {
    CHECK(f.lookup.user("carol") == uid_t{1003});
    f.clock.advance(20s);
  }
  CHECK(f.asked == 2);
}
