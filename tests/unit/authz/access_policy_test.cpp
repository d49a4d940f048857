#include <doctest/doctest.h>

#include <map>

#include "daemon/authz/access_policy.hpp"
#include "tests/fakes/manual_clock.hpp"

using namespace std::chrono_literals;
using grantd::config::AccessSettings;
using grantd::daemon::AccessPolicy;
using grantd::daemon::AccountLookup;
using grantd::daemon::PeerIdentity;
using grantd::daemon::system_accounts;
using grantd::tests::ManualClock;
using Names = std::vector<std::string>;

namespace {

// An account database that a test writes.
struct Accounts {
  std::map<std::string, uid_t> users{{"alice", 1001}, {"bob", 1002}};
  std::map<std::string, gid_t> groups{{"workers", 2001}};
  int look_ups = 0;

  AccountLookup lookup() {
    return {.user = [this](const std::string& name) { return find(users, name); },
            .group = [this](const std::string& name) { return find(groups, name); }};
  }

 private:
  std::optional<uid_t> find(const std::map<std::string, uid_t>& known, const std::string& name) {
    ++look_ups;
    const auto found = known.find(name);
    return found == known.end() ? std::nullopt : std::optional{found->second};
  }
};

PeerIdentity peer(uid_t uid, gid_t gid = 100, std::vector<gid_t> groups = {}) {
  return {.pid = 4321, .uid = uid, .gid = gid, .groups = std::move(groups)};
}

struct Fixture {
  ManualClock clock;
  Accounts accounts;
  AccessPolicy policy(AccessSettings settings) { return {settings, accounts.lookup()}; }
};

}  // namespace

TEST_CASE("access policy: without a rule everybody is admitted") {
  Fixture f;
  auto policy = f.policy({.users = {}, .groups = {}});
  CHECK(policy.admits(peer(1001), f.clock.now()));
  CHECK(policy.admits(peer(65534), f.clock.now()));
}

TEST_CASE("access policy: an empty list admits nobody, not even root") {
  Fixture f;
  auto users = f.policy({.users = Names{}, .groups = {}});
  CHECK_FALSE(users.admits(peer(0, 0), f.clock.now()));
  auto groups = f.policy({.users = {}, .groups = Names{}});
  CHECK_FALSE(groups.admits(peer(0, 0), f.clock.now()));
}

TEST_CASE("access policy: users match by name and by number") {
  Fixture f;
  auto policy = f.policy({.users = Names{"alice", "1500"}, .groups = {}});
  CHECK(policy.admits(peer(1001), f.clock.now()));
  CHECK(policy.admits(peer(1500), f.clock.now()));
  CHECK_FALSE(policy.admits(peer(1002), f.clock.now()));
  CHECK_FALSE(policy.admits(peer(0), f.clock.now()));
}

TEST_CASE("access policy: groups match as primary and as supplementary ones") {
  Fixture f;
  auto policy = f.policy({.users = {}, .groups = Names{"workers", "3000"}});
  CHECK(policy.admits(peer(1, 2001), f.clock.now()));
  CHECK(policy.admits(peer(1, 100, {7, 2001, 9}), f.clock.now()));
  CHECK(policy.admits(peer(1, 3000), f.clock.now()));
  CHECK_FALSE(policy.admits(peer(2001, 100, {7, 9}), f.clock.now()));
}

TEST_CASE("access policy: any entry of either list is enough") {
  Fixture f;
  auto policy = f.policy({.users = Names{"alice"}, .groups = Names{"workers"}});
  CHECK(policy.admits(peer(1001), f.clock.now()));
  CHECK(policy.admits(peer(1002, 2001), f.clock.now()));
  CHECK_FALSE(policy.admits(peer(1002), f.clock.now()));
}

TEST_CASE("access policy: a user's number is no group's number") {
  Fixture f;
  auto policy = f.policy({.users = Names{"2001"}, .groups = {}});
  CHECK_FALSE(policy.admits(peer(1, 2001, {2001}), f.clock.now()));
}

TEST_CASE("access policy: a peer without identity matches no entry") {
  Fixture f;
  f.accounts.users["odd"] = static_cast<uid_t>(-1);
  auto policy = f.policy({.users = Names{"4294967295", "-1", "odd"}, .groups = Names{"4294967295"}});
  CHECK_FALSE(policy.admits(PeerIdentity{}, f.clock.now()));
}

TEST_CASE("access policy: an unknown name is looked up again, but not at every request") {
  Fixture f;
  auto policy = f.policy({.users = Names{"carol"}, .groups = {}});
  for (int i = 0; i < 100; ++i) CHECK_FALSE(policy.admits(peer(1003), f.clock.now()));
  CHECK(f.accounts.look_ups == 1);
  f.accounts.users["carol"] = 1003;
  f.clock.advance(900ms);
  CHECK_FALSE(policy.admits(peer(1003), f.clock.now()));
  f.clock.advance(100ms);
  CHECK(policy.admits(peer(1003), f.clock.now()));
  CHECK(f.accounts.look_ups == 2);
  for (int i = 0; i < 100; ++i) {
    CHECK(policy.admits(peer(1003), f.clock.now()));
    f.clock.advance(20s);
  }
  CHECK(f.accounts.look_ups == 2);
}

TEST_CASE("access policy: a policy for named users admits exactly them") {
  Fixture f;
  auto policy = AccessPolicy::for_users({"bob"}, f.accounts.lookup());
  CHECK(policy.admits(peer(1002), f.clock.now()));
  CHECK_FALSE(policy.admits(peer(0, 0), f.clock.now()));
  auto nobody = AccessPolicy::for_users({}, f.accounts.lookup());
  CHECK_FALSE(nobody.admits(peer(0, 0), f.clock.now()));
}

TEST_CASE("system accounts: names of the machine are found, others are not") {
  const AccountLookup accounts = system_accounts();
  CHECK(accounts.user("root") == uid_t{0});
  CHECK(accounts.group("root") == gid_t{0});
  CHECK_FALSE(accounts.user("no-such-user-here").has_value());
  CHECK_FALSE(accounts.group("no-such-group-here").has_value());
}

TEST_CASE("access policy: units match by full name, and a template matches every instance") {
  Fixture f;
  auto policy = f.policy({.users = {},
                          .groups = {},
                          .units = Names{"billing.service", "worker@.service", "job@.nightly.service"}});
  auto admits = [&](std::string unit) {
    PeerIdentity caller = peer(1001);
    caller.unit = std::move(unit);
    return policy.admits(caller, f.clock.now());
  };
  CHECK(admits("billing.service"));
  CHECK(admits("worker@1.service"));
  CHECK(admits("worker@a@b.service"));
  CHECK(admits("job@.nightly.service"));
  for (const std::string unit :
       {"", "billing", "billing.scope", "my-billing.service", "worker@.scope", "worker.service",
        "worker@1.scope", "coworker@1.service", "job@1.nightly.service"}) {
    CAPTURE(unit);
    CHECK_FALSE(admits(unit));
  }
}

TEST_CASE("access policy: a unit is one more way to be admitted, and an empty list of them admits nobody") {
  Fixture f;
  auto either = f.policy({.users = Names{"1001"}, .groups = {}, .units = Names{"billing.service"}});
  CHECK(either.admits(peer(1001), f.clock.now()));
  CHECK_FALSE(either.admits(peer(1002), f.clock.now()));
  auto nobody = f.policy({.users = {}, .groups = {}, .units = Names{}});
  CHECK_FALSE(nobody.admits(peer(0, 0), f.clock.now()));
}
