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
  CHECK(f.names.values.size() == 1);  // and no lease is left
}

TEST_CASE("lease: a holder whose request takes long keeps it") {
  Fleet f;
  f.a.ask();
  f.b.ask();
  f.pass(8s);
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

TEST_CASE("lease: nobody waits longer than the own request would take") {
  Fleet f;
  f.b.settings->request_timeout = 3s;
  f.a.ask();
  f.b.ask();
  f.pass(2900ms);
  CHECK(f.b.server->requests == 0);
  f.pass(150ms);
  CHECK(f.b.server->requests == 1);
  f.b.succeed("b");
  f.a.succeed("a");
  CHECK(f.a.take() == "a");
  CHECK(f.b.take() == "b");
  CHECK(f.names.values.size() == 1);
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
