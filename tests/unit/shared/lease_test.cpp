#include <doctest/doctest.h>

#include "tests/unit/shared/fleet_fixture.hpp"

using namespace grantd;
using namespace grantd::tests;
using namespace std::chrono_literals;

TEST_CASE("lease: two that miss at once cause one request, the other waits for its entry") {
  Fleet f;
  f.a.ask();
  f.b.ask();
  f.pass(200ms);
  CHECK(f.a.server->requests == 1);
  CHECK(f.b.server->requests == 0);
  CHECK(f.b.take() == "waiting");
  f.a.succeed("t");
  f.pass(100ms);
  CHECK(f.b.take() == "t shared");
}

TEST_CASE("lease: an entry written between look-up and lease is taken") {
  Fleet f;
  f.b.fetcher.fetch({}, std::make_shared<daemon::FetchWish>(), [&f](daemon::FetchResult result) {
    f.b.answers.emplace_back(result->access_token.reveal());
  });
  f.b.store->settle_one();  // nothing is there yet
  f.a.ask();
  f.a.succeed("t");
  f.b.store->settle();
  CHECK(f.b.take() == "t");
  CHECK(f.b.server->requests == 0);
  CHECK(f.names.count() == 1);  // and no lease is left
}

TEST_CASE("lease: a holder whose request takes long keeps it") {
  Fleet f;
  f.a.ask();
  f.b.ask();
  f.pass(4s);
  CHECK(f.b.server->requests == 0);
  f.a.succeed("t");
  f.pass(200ms);
  CHECK(f.b.take() == "t shared");
}

TEST_CASE("lease: a holder that dies delays the others by two seconds at most") {
  Fleet f;
  f.a.ask();
  f.a.store->up = false;  // it prolongs nothing any more
  f.b.ask();
  f.pass(1900ms, {&f.b});
  CHECK(f.b.server->requests == 0);
  f.pass(250ms, {&f.b});
  CHECK(f.b.server->requests == 1);
}

TEST_CASE("lease: of all who waited for a holder that died, one asks and the others wait for that one") {
  Fleet f;
  Machine c{f.time, f.names, f.entropy};
  Machine d{f.time, f.names, f.entropy};
  const std::vector<Machine*> others{&f.b, &c, &d};
  f.a.ask();
  f.a.store->up = false;
  for (Machine* machine : others) machine->ask();
  f.pass(2500ms, others);
  const auto asking = [](const Machine* machine) { return machine->server->requests == 1; };
  REQUIRE(std::ranges::count_if(others, asking) == 1);
  (*std::ranges::find_if(others, asking))->succeed("t");
  f.pass(105ms, others);
  for (Machine* machine : others) CHECK(machine->take() == (asking(machine) ? "t" : "t shared"));
}

TEST_CASE("lease: one that lasts longer than any machine asks for delays nobody") {
  Fleet f;
  f.a.ask();
  f.a.succeed("t");
  const std::string name = f.only_entry();
  f.names.values.clear();
  f.names.values[name + ":lease"] = {"x", f.time.clock.now() + 1h};
  f.a.ask();
  f.b.ask();
  CHECK(f.a.server->requests == 2);
  CHECK(f.b.server->requests == 1);
}

TEST_CASE("lease: a failed request frees it at once, and the error is the holder's alone") {
  Fleet f;
  f.a.ask();
  f.b.ask();
  f.a.server->fail(daemon::FetchError::Memory::variant, common::ErrorCode::token_request_rejected);
  CHECK(f.a.take() == "token_request_rejected");
  f.pass(20ms);
  CHECK(f.b.server->requests == 1);
  f.b.succeed("t");
  CHECK(f.b.take() == "t");
}

TEST_CASE("lease: when a holder leaves nothing, all who waited ask at once") {
  Fleet f;
  Machine c{f.time, f.names, f.entropy};
  Machine d{f.time, f.names, f.entropy};
  f.a.ask();
  for (Machine* machine : {&f.b, &c, &d}) machine->ask();
  f.pass(200ms, {&f.a, &f.b, &c, &d});
  SUBCASE("because of an error") {
    f.a.server->fail(daemon::FetchError::Memory::variant, common::ErrorCode::token_request_rejected);
  }
  SUBCASE("because it is not to be cached") { f.a.succeed("t", 0s); }
  SUBCASE("because it is not to be shared") {
    f.a.store->refuses_writes = true;
    f.a.succeed("t");
  }
  f.pass(105ms, {&f.b, &c, &d});  // the longest pause between two looks
  for (Machine* machine : {&f.b, &c, &d}) CHECK(machine->server->requests == 1);
  CHECK(f.names.count() == 0);  // and no lease is left for others to wait for
}

TEST_CASE("lease: nobody waits for a second holder after a request that failed") {
  Fleet f;
  Machine c{f.time, f.names, f.entropy};
  f.a.ask();
  f.b.ask();
  f.pass(200ms);
  f.a.server->fail(daemon::FetchError::Memory::variant, common::ErrorCode::token_request_rejected);
  c.ask();  // before B looks
  REQUIRE(c.server->requests == 1);
  f.pass(105ms, {&f.b});
  CHECK(f.b.server->requests == 1);
  f.b.succeed("b");
  c.succeed("c");
  CHECK(f.names.count() == 1);
}

TEST_CASE("lease: who is told to wait no longer asks the server, once") {
  Fleet f;
  f.a.ask();
  SUBCASE("between two looks") { f.b.ask(); }
  SUBCASE("while the store is asked") {
    f.b.fetcher.fetch({}, std::make_shared<daemon::FetchWish>(), [&f](daemon::FetchResult result) {
      f.b.answers.emplace_back(result->access_token.reveal());
    });
    SUBCASE("for the entry") {}
    SUBCASE("for a lease that is free by then") {
      f.b.store->settle_one();
      f.names.values.clear();
    }
  }
  const bool freed = f.names.count() == 0;
  for (const auto& flight : std::set{f.b.memory.under_way}) flight->stop_waiting();
  CHECK(f.b.server->requests == 1);
  f.pass(500ms);
  CHECK((f.names.count() == 0) == freed);  // nor does it keep a lease that it got too late
  CHECK(f.b.server->requests == 1);
  f.b.succeed("t");
  CHECK(f.b.take() == "t");
  CHECK(f.b.memory.under_way.empty());
}

TEST_CASE("lease: nobody waits longer longer than half of what the own request may take") {
  Fleet f;
  f.b.settings->request_timeout = 3s;
  f.a.ask();
  f.b.ask();
  f.pass(1400ms);
  CHECK(f.b.server->requests == 0);
  f.pass(150ms);
  CHECK(f.b.server->requests == 1);
  f.b.succeed("b");
  f.a.succeed("a");
  CHECK(f.a.take() == "a");
  CHECK(f.b.take() == "b");
  CHECK(f.names.count() == 1);
}

TEST_CASE("lease: a store that takes no writes sends everybody to the server at once") {
  Fleet f;
  f.a.store->refuses_writes = true;
  f.a.ask();
  CHECK(f.a.server->requests == 1);
  f.a.succeed("t");
  CHECK(f.a.take() == "t");
  CHECK(f.a.memory.under_way.empty());
}

TEST_CASE("lease: in the middle of a rotation of keys there is still one") {
  Fleet f;
  f.a.keys->text = first_key + "\n" + second_key;
  f.b.keys->text = second_key + "\n" + first_key;
  f.a.ask();
  f.b.ask();
  f.pass(100ms);
  CHECK(f.b.server->requests == 0);
  f.a.succeed("t");
  f.pass(200ms);
  CHECK(f.b.take() == "t shared");
}

TEST_CASE("lease: a token that is as good and was written meanwhile stays") {
  Fleet f;
  f.a.ask();
  f.a.store->up = false;  // it loses its lease
  f.b.ask();
  f.pass(2100ms, {&f.b});
  REQUIRE(f.b.server->requests == 1);
  f.a.store->up = true;
  f.a.succeed("a");
  const auto written = f.names.bytes(f.only_entry());
  f.b.succeed("b");
  CHECK(f.names.bytes(f.only_entry()) == written);
}

TEST_CASE("lease: a rejected token that was written meanwhile is replaced") {
  Fleet f;
  f.a.ask();
  f.a.succeed("one");
  const auto expires = f.a.last.term->expires;
  f.b.ask({.replaces = version("one"), .expires = expires, .rejected = true});
  f.names.values.erase(f.only_entry());
  Machine late{f.time, f.names, f.entropy};
  late.ask({.forced = true});
  late.succeed("one");
  f.b.succeed("two");
  f.a.answers.clear();
  f.a.ask();
  CHECK(f.a.take() == "two shared");
}

TEST_CASE("lease: one that comes too late for a caller is kept for as long as the server is asked") {
  Fleet f;
  f.a.store->leases_come_late = true;
  f.a.ask();
  CHECK(f.a.server->requests == 1);
  f.b.ask();
  f.pass(4s);
  CHECK(f.b.server->requests == 0);
  SUBCASE("and a token comes of it") {
    f.a.succeed("t");
    f.pass(200ms);
    CHECK(f.b.take() == "t shared");
  }
  SUBCASE("and then it ends") {
    f.a.server->fail(daemon::FetchError::Memory::none, common::ErrorCode::token_request_rejected);
    f.a.store->settle();
    f.pass(200ms);
    CHECK(f.b.server->requests == 1);
  }
}

TEST_CASE("lease: a while after a request that failed there is one again") {
  Fleet f;
  f.a.ask();
  f.a.server->fail(daemon::FetchError::Memory::none, common::ErrorCode::token_request_rejected);
  f.pass(daemon::SharedStore::mark_duration + 5ms);
  f.a.ask();
  f.b.ask();
  f.pass(100ms);
  CHECK(f.a.server->requests == 2);
  CHECK(f.b.server->requests == 0);
}

TEST_CASE("lease: of those who come just after a request that failed, one asks and the others wait for it") {
  Fleet f;
  f.a.ask();
  f.a.server->fail(daemon::FetchError::Memory::none, common::ErrorCode::token_request_rejected);
  Machine c{f.time, f.names, f.entropy};
  for (Machine* machine : {&f.b, &c}) machine->ask();
  f.pass(100ms, {&f.b, &c});
  CHECK(f.b.server->requests == 1);
  CHECK(c.server->requests == 0);
  SUBCASE("until it brings a token") {
    f.b.succeed("t");
    f.pass(105ms, {&c});
    CHECK(c.take() == "t shared");
    CHECK(f.names.count() == 1);
  }
  SUBCASE("until it dies") {
    Machine d{f.time, f.names, f.entropy};
    d.ask();
    f.b.store->up = false;
    f.pass(2500ms, {&c, &d});
    CHECK(c.server->requests + d.server->requests == 1);
  }
  SUBCASE("until it fails as well") {
    f.b.server->fail(daemon::FetchError::Memory::none, common::ErrorCode::token_request_rejected);
    f.pass(105ms, {&c});
    CHECK(c.server->requests == 1);
  }
}

TEST_CASE("lease: one that is under way does not keep the store whose cache has gone") {
  Fleet f;
  auto machine = std::make_unique<Machine>(f.time, f.names, f.entropy);
  const std::weak_ptr<MemoryStore> store = machine->store;
  machine->store->leases_come_late = true;
  machine->fetcher.fetch({}, std::make_shared<Machine::Wish>(), [](daemon::FetchResult) {});
  machine->store->settle_one();
  REQUIRE(machine->store->pending.front().first == "lease");
  machine.reset();
  CHECK(store.expired());
}
