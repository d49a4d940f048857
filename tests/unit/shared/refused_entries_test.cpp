#include <doctest/doctest.h>

#include "tests/unit/shared/fleet_fixture.hpp"

using namespace grantd;
using namespace grantd::tests;
using namespace std::chrono_literals;

TEST_CASE("refused entries: whatever stands under the name, the daemon asks for itself and replaces it") {
  Fleet f;
  f.a.ask();
  f.a.succeed("t");
  const std::string name = f.only_entry();
  auto& bytes = f.names.values.at(name).bytes;
  std::string reason = "seal";
  SUBCASE("a flipped bit") { bytes.back() = static_cast<char>(bytes.back() ^ 1); }
  SUBCASE("nothing like it") {
    bytes = "hello";
    reason = "version";
  }
  SUBCASE("another version") {
    bytes.front() = 2;
    reason = "version";
  }
  SUBCASE("a cut one") { bytes.resize(20); }
  f.b.ask();
  CHECK(f.b.server->requests == 1);
  f.b.succeed("u");
  CHECK(f.b.take() == "u");
  CHECK(f.b.metrics.refused.front() == reason);
  f.a.answers.clear();
  f.a.ask();
  CHECK(f.a.take() == "u shared");
}

TEST_CASE("refused entries: one that belongs to another name is none") {
  Fleet f;
  f.a.ask();
  f.a.succeed("t");
  const std::string first = f.only_entry();
  f.a.ask({}, {.scope = {"s"}});
  f.a.succeed("u");
  for (auto& [name, value] : f.names.values) {
    if (name != first) value.bytes = f.names.values.at(first).bytes;
  }
  f.b.ask({}, {.scope = {"s"}});
  CHECK(f.b.server->requests == 1);
  CHECK(f.b.metrics.refused.front() == "seal");
}

TEST_CASE("refused entries: one of a daemon with other keys under this name is none") {
  Fleet f;
  f.a.ask();
  f.a.succeed("t");
  const std::string name = f.only_entry();
  Machine stranger{f.time, f.names, f.entropy, second_key};
  stranger.ask();
  stranger.succeed("x");
  for (const auto& [other, value] : f.names.values) {
    if (other != name) f.names.values.at(name).bytes = value.bytes;
  }
  f.b.ask();
  CHECK(f.b.server->requests == 1);
  CHECK(f.b.metrics.refused.front() == "seal");
}

TEST_CASE("refused entries: each is counted, and logged once") {
  Fleet f;
  f.a.ask();
  f.a.succeed("t");
  const std::string name = f.only_entry();
  f.b.store->refuses_writes = true;
  for (int i = 0; i < 3; ++i) {
    f.names.values.at(name).bytes = "\x01nonsense";
    f.b.ask();
    f.b.succeed("u");
  }
  CHECK(f.b.metrics.refused.size() == 3);
  CHECK(f.b.log.count("event=shared_entry_refused client=client name=" + name + " reason=seal") == 1);
  CHECK_FALSE(f.b.log.has("nonsense"));
}

TEST_CASE("refused entries: a DPoP token where nothing binds tokens is none") {
  Fleet f;
  f.a.ask();
  f.a.server->finish(daemon::TokenGrant{.access_token = common::Secret{"t"},
                                        .type = daemon::TokenType::dpop,
                                        .version = version("t"),
                                        .lifetime = 300s});
  f.a.store->settle();
  f.b.ask();
  CHECK(f.b.server->requests == 1);
  CHECK(f.b.metrics.refused.front() == "form");
}

TEST_CASE("refused entries: a token that a caller says was refused is not taken, though it was never here") {
  Fleet f;
  f.a.ask();
  f.a.succeed("t");
  const auto before = f.names.values;
  f.b.ask({.refused = {version("t")}});
  CHECK(f.b.server->requests == 1);
  f.b.succeed("u");
  CHECK(f.b.take() == "u");
  f.a.answers.clear();
  f.a.ask();
  CHECK(f.a.take() == "u shared");
  f.names.values = before;  // somebody puts it back
  f.b.ask();
  CHECK(f.b.server->requests == 2);
}

TEST_CASE("refused entries: a rejected token does not come back when the store gave it a short life") {
  Fleet f;
  f.a.ask();
  f.a.succeed("t");
  auto stolen = f.names.values;
  f.names.values.at(f.only_entry()).expires = f.time.timers.now() + 12s;
  f.b.ask();
  REQUIRE(f.b.take() == "t shared");
  f.b.ask(f.b.rejecting());
  f.b.succeed("u");
  REQUIRE(f.b.take() == "u");
  f.time.advance(13s);
  f.names.values = stolen;
  f.b.ask();
  CHECK(f.b.server->requests == 2);
}

TEST_CASE("refused entries: a token that is rejected while the server is asked does not come back") {
  Fleet f;
  f.a.ask();
  f.a.succeed("t");
  const auto before = f.names.values;
  auto wish = std::make_shared<daemon::FetchWish>(daemon::FetchWish{.replaces = version("t"),
                                                                    .obtained = f.a.last.term->obtained,
                                                                    .expires = f.a.last.term->expires,
                                                                    .forced = true});
  f.a.fetcher.fetch({}, wish, [](auto) {});
  wish->rejected = true;
  f.a.succeed("u");
  f.names.values = before;
  f.a.ask();
  CHECK(f.a.server->requests == 3);
}

TEST_CASE("refused entries: a rejected token is taken out of a store that does not take its replacement") {
  Fleet f;
  f.a.ask();
  f.a.succeed("t");
  f.a.store->refuses_writes = true;
  f.a.ask(f.a.rejecting());
  f.a.succeed("u");
  CHECK(f.names.count() == 0);
}

TEST_CASE(
    "refused entries: a token that is rejected while it is on its way to the store does not stay there") {
  Fleet f;
  f.a.ask({.forced = true});
  f.a.server->finish(
      daemon::TokenGrant{.access_token = common::Secret{"t"}, .version = version("t"), .lifetime = 300s});
  REQUIRE(f.a.store->pending.size() == 1);  // the write
  const daemon::TokenGrant::Term term = *f.a.last.term;
  SUBCASE("and nothing is in its way") {}
  SUBCASE("and its replacement is there first") {
    f.b.ask({.forced = true});
    f.b.succeed("u");
  }
  f.a.fetcher.fetch({},
                    std::make_shared<daemon::FetchWish>(daemon::FetchWish{.replaces = version("t"),
                                                                          .obtained = term.obtained,
                                                                          .expires = term.expires,
                                                                          .rejected = true,
                                                                          .forced = true}),
                    [](auto) {});
  f.a.store->settle();
  Machine other{f.time, f.names, f.entropy};
  other.ask();
  CHECK(other.take() != "t shared");
}

TEST_CASE(
    "refused entries: what is rejected while the store is away is taken out of it when it is there again") {
  Fleet f;
  f.a.ask();
  f.a.succeed("t");
  const auto before = f.names.values;
  f.a.store->up = false;
  SUBCASE("the token at hand") {
    f.a.ask(f.a.rejecting());
    f.a.succeed("u");
    f.pass(10s);
  }
  SUBCASE("one that never was here") {
    f.a.ask({.refused = {version("t")}});
    f.a.succeed("u");
    f.pass(10s);
  }
  SUBCASE("one whose write the store had not carried out") {
    f.names.values.clear();
    f.a.ask(f.a.rejecting());
    f.a.succeed("u");
    f.a.store->up = true;
    f.pass(3s);  // it answers, and finds nothing yet
    f.names.values = before;
  }
  SUBCASE("and another, until it is there") {
    f.a.ask({.refused = {version("t")}});
    f.a.succeed("u");
    f.a.ask({.refused = {version("u")}});
    f.a.succeed("v");
    CHECK(f.a.memory.evictions.size() == 1);
  }
  f.a.store->up = true;
  f.pass(31s);
  CHECK(f.names.count() == 0);
  f.b.ask();
  CHECK(f.b.server->requests == 1);
  CHECK(f.a.memory.evictions.empty());
}

TEST_CASE("refused entries: a replacement of what was rejected while the store was away stays") {
  Fleet f;
  f.a.ask();
  f.a.succeed("t");
  f.a.store->up = false;
  f.a.ask({.refused = {version("t")}});
  f.a.succeed("u");
  f.b.ask({.refused = {version("t")}});
  f.b.succeed("v");
  f.a.store->up = true;
  f.pass(31s);
  f.a.ask();
  CHECK(f.a.answers.back() == "v shared");
}

TEST_CASE("refused entries: a token that a caller says was refused, and the server gives again, stays") {
  Fleet f;
  f.b.ask();
  f.b.succeed("t");
  SUBCASE("while the store is there") {}
  SUBCASE("though another was looked for meanwhile") {
    f.a.store->up = false;
    f.a.ask({.refused = {version("t")}});
    f.a.succeed("u");
    f.a.ask({.refused = {version("u")}});
  }
  if (f.a.server->requests == 0) f.a.ask({.refused = {version("t")}});
  f.a.succeed("t");
  f.a.store->up = true;
  f.pass(10s, {&f.a});
  CHECK(f.names.count() == 1);
  CHECK(f.a.memory.evictions.empty());
}

TEST_CASE("refused entries: what cannot be a version is not looked for") {
  Fleet f;
  f.a.store->up = false;
  f.a.ask({.refused = {std::string(30'000, 'x'), "", "no-version"}});
  f.a.succeed("t");
  CHECK(f.a.memory.evictions.empty());
}

TEST_CASE("refused entries: while the store is away there is a bound to what is to be looked for") {
  Fleet f;
  f.a.store->up = false;
  for (int i = 0; i < 4200; ++i) {
    f.a.ask({.refused = {version(std::to_string(i))}}, {.scope = {std::to_string(i)}});
    f.a.succeed("t" + std::to_string(i));
  }
  CHECK(f.a.memory.evictions.size() == 4096);
}
