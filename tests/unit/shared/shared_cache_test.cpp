#include <doctest/doctest.h>

#include "tests/unit/shared/fleet_fixture.hpp"

using namespace grantd;
using namespace grantd::tests;
using namespace std::chrono_literals;

TEST_CASE("shared cache: what one machine fetched the other has without a request") {
  Fleet f;
  f.a.ask();
  f.a.succeed("t");
  CHECK(f.a.take() == "t");
  f.b.ask();
  CHECK(f.b.take() == "t shared");
  CHECK(f.b.server->requests == 0);
  CHECK(f.b.last.version == f.a.last.version);
  CHECK(f.a.metrics.misses == 1);
  CHECK(f.b.metrics.hits == 1);
  CHECK(f.b.memory.under_way.empty());
  CHECK(f.names.count() == 1);  // and no lease
}

TEST_CASE("shared cache: a token of another credential, definition or variant is another one") {
  Fleet f;
  f.a.ask();
  f.a.succeed("t");
  SUBCASE("credential") { f.b.authentication->word = "other"; }
  SUBCASE("client id") { f.b.settings->client_id = "other"; }
  SUBCASE("key") { f.b.keys->text = second_key; }
  f.b.ask({}, f.b.authentication->word == "secret" && f.b.settings->client_id == "id" &&
                      f.b.keys->text == first_key
                  ? daemon::Variant{.scope = {"s"}}
                  : daemon::Variant{});
  CHECK(f.b.take() == "waiting");
  CHECK(f.b.server->requests == 1);
}

TEST_CASE("shared cache: a rejected token is renewed by one, the others take the new one") {
  Fleet f;
  f.a.ask();
  f.a.succeed("one");
  f.b.ask();
  const auto expires = f.a.last.term->expires;
  f.a.ask({.replaces = version("one"), .expires = expires, .rejected = true});
  f.a.succeed("two");
  f.b.ask({.replaces = version("one"), .expires = expires, .rejected = true});
  CHECK(f.b.answers == std::vector<std::string>{"one shared", "two shared"});
  CHECK(f.b.server->requests == 0);
}

TEST_CASE("shared cache: the rejected token itself is never taken, nor written back as new") {
  Fleet f;
  f.a.ask();
  f.a.succeed("one");
  const auto expires = f.a.last.term->expires;
  const auto before = f.names.bytes(f.only_entry());
  f.b.ask({.replaces = version("one"), .expires = expires, .rejected = true});
  CHECK(f.b.server->requests == 1);
  f.b.succeed("one");  // the server has no other
  CHECK(f.b.take() == "one");
  CHECK(f.names.bytes(f.only_entry()) == before);
  CHECK(f.names.count() == 1);
}

TEST_CASE("shared cache: after a rejection an older token does not come back either") {
  Fleet f;
  f.a.ask();
  f.a.succeed("one");
  f.b.ask();
  const auto expires = f.a.last.term->expires;
  f.b.store->refuses_writes = true;
  f.b.ask({.replaces = version("one"), .expires = expires, .rejected = true});
  f.b.succeed("two");
  f.b.store->refuses_writes = false;
  f.b.answers.clear();
  f.b.ask({.replaces = version("two"), .expires = expires + 1s, .rejected = true});
  CHECK(f.b.take() == "waiting");
  CHECK(f.b.server->requests == 2);
}

TEST_CASE("shared cache: a rejected token is renewed by one where the server gives shorter lives now") {
  Fleet f;
  f.a.ask();
  f.a.succeed("one", 3600s);
  f.b.ask();
  f.time.advance(1s);
  const daemon::FetchWish wish{.replaces = version("one"),
                               .obtained = f.a.last.term->obtained,
                               .expires = f.a.last.term->expires,
                               .rejected = true};
  f.a.ask(wish);
  f.a.succeed("two", 300s);
  f.b.ask(wish);
  CHECK(f.b.answers.back() == "two shared");
}

TEST_CASE("shared cache: a renewal takes what is newer, and asks where nothing is") {
  Fleet f;
  f.a.ask();
  f.a.succeed("one", 100s);
  f.b.ask();
  const daemon::FetchWish renewal{.replaces = version("one"), .expires = f.a.last.term->expires};
  f.time.advance(60s);
  f.b.ask(renewal);
  CHECK(f.b.server->requests == 1);
  f.b.succeed("two", 100s);
  f.a.ask(renewal);
  CHECK(f.a.answers.back() == "two shared");
  CHECK(f.a.server->requests == 1);
}

TEST_CASE("shared cache: a newer token with a shorter life is newer all the same") {
  Fleet f;
  f.a.ask();
  f.a.succeed("one", 1000s);
  f.b.ask();
  const daemon::FetchWish renewal{
      .replaces = version("one"), .obtained = f.a.last.term->obtained, .expires = f.a.last.term->expires};
  f.time.advance(500s);
  f.b.ask(renewal);
  f.b.succeed("two", 100s);
  f.a.ask(renewal);
  CHECK(f.a.answers.back() == "two shared");
}

TEST_CASE("shared cache: a server that gives the same token until it ends moves that end for nobody") {
  Fleet f;
  f.a.ask();
  f.a.succeed("one", 100s);
  const auto before = f.names.bytes(f.only_entry());
  f.time.advance(60s);
  f.a.ask({.replaces = version("one"), .expires = f.a.last.term->expires});
  f.a.succeed("one", 100s);
  CHECK(f.names.bytes(f.only_entry()) == before);
}

TEST_CASE("shared cache: force_renewal goes past the look-up, and its result is there for the others") {
  Fleet f;
  f.a.ask();
  f.a.succeed("one");
  f.time.advance(1s);
  f.b.ask({.forced = true});
  CHECK(f.b.server->requests == 1);
  f.b.succeed("two");
  CHECK(f.b.take() == "two");
  f.a.answers.clear();
  f.a.ask();
  CHECK(f.a.take() == "two shared");
}

TEST_CASE("shared cache: min_valid counts for what others fetched, too") {
  Fleet f;
  f.a.ask();
  f.a.succeed("one", 100s);
  f.b.ask({.min_valid = 200s});
  CHECK(f.b.server->requests == 1);
  f.b.succeed("two", 300s);
  f.b.ask({.min_valid = 200s});
  CHECK(f.b.answers.back() == "two shared");
}

TEST_CASE("shared cache: an assertion's token is nobody else's") {
  Fleet f;
  f.a.fetcher.fetch_with_assertion({}, common::Secret{"assertion"}, [](auto) {});
  f.a.store->settle();
  f.a.succeed("t");
  CHECK(f.names.count() == 0);
}

TEST_CASE("shared cache: a token that is not to be cached is not shared") {
  Fleet f;
  f.a.ask();
  f.a.succeed("t", 0s);
  CHECK(f.a.take() == "t");
  CHECK(f.names.count() == 0);
}

TEST_CASE("shared cache: drop takes the entry away, for every key") {
  Fleet f;
  f.a.ask();
  f.a.succeed("t");
  f.b.keys->text = second_key + "\n" + first_key;
  bool dropped = false;
  f.b.fetcher.drop({{.variant = {}}}, [&dropped] { dropped = true; });
  CHECK(dropped);
  CHECK(f.names.count() == 0);
}

TEST_CASE("shared cache: what was dropped while the store was away does not come back from it") {
  Fleet f;
  f.a.ask();
  f.a.succeed("t");
  f.a.store->up = false;
  f.a.fetcher.drop({{.version = version("t"), .expires = f.a.last.term->expires}}, [] {});
  f.a.store->up = true;
  f.a.ask();
  CHECK(f.a.server->requests == 2);
  SUBCASE("but from the server") {
    f.a.succeed("t");
    CHECK(f.a.answers.back() == "t");
    f.a.ask();
    CHECK(f.a.answers.back() == "t shared");
  }
  SUBCASE("and what the server gave then does") {
    f.a.succeed("u");
    f.b.ask();
    CHECK(f.b.take() == "u shared");
  }
}

TEST_CASE("shared cache: a look-up under way at a drop does not bring the token back") {
  Fleet f;
  f.a.ask();
  f.a.succeed("t");
  f.time.advance(1s);
  f.b.fetcher.fetch({}, std::make_shared<daemon::FetchWish>(), [](auto) {});
  const auto before = f.names.values;
  f.b.fetcher.drop({{.variant = {}}}, [] {});
  f.names.values = before;  // as the look-up found it
  f.b.store->settle();
  CHECK(f.b.server->requests == 1);
  f.time.advance(1s);
  f.a.answers.clear();
  f.a.ask({.forced = true});
  f.a.succeed("u");
  f.b.ask();
  CHECK(f.b.take() == "u shared");
}

TEST_CASE("shared cache: without the store everybody asks for himself, at once") {
  Fleet f;
  f.a.store->up = false;
  f.a.ask();
  CHECK(f.a.server->requests == 1);
  f.a.succeed("t");
  CHECK(f.a.take() == "t");
  CHECK(f.a.memory.under_way.empty());
}

TEST_CASE("shared cache: a store that goes in the middle sends everybody to the server") {
  Fleet f;
  f.a.fetcher.fetch({}, std::make_shared<daemon::FetchWish>(),
                    [&f](daemon::FetchResult r) { f.a.answers.emplace_back(r->access_token.reveal()); });
  SUBCASE("at the look-up") {}
  SUBCASE("at the lease") { f.a.store->settle_one(); }
  f.a.store->up = false;
  f.a.store->settle();
  CHECK(f.a.server->requests == 1);
  f.a.succeed("t");
  CHECK(f.a.take() == "t");
}

TEST_CASE("shared cache: without usable keys nothing is shared, which is logged once") {
  Fleet f;
  f.a.keys->text = "nonsense";
  f.a.ask();
  f.a.succeed("t");
  f.a.ask();
  f.a.succeed("t");
  CHECK(f.names.count() == 0);
  CHECK(f.a.log.count("event=shared_cache_off") == 1);
  CHECK_FALSE(f.a.cache->has_keys());
  CHECK_FALSE(f.a.log.has("nonsense"));
  f.a.keys->text = first_key;
  f.a.ask();
  f.a.succeed("t");
  CHECK(f.names.count() == 1);
  CHECK(f.a.cache->has_keys());
}

TEST_CASE("shared cache: keys that become unusable do not replace those that are in use") {
  Fleet f;
  f.a.ask();
  f.a.succeed("t");
  f.a.keys->text = "nonsense";
  f.a.keys->is_changed = true;
  f.a.ask();
  CHECK(f.a.answers.back() == "t shared");
  CHECK(f.a.log.count("event=cache_keys_not_reread") == 1);
}
