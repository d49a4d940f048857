#include <doctest/doctest.h>

#include "tests/unit/cache/cache_fixture.hpp"

using namespace std::chrono_literals;
using grantd::daemon::DroppedToken;
using grantd::daemon::TokenGrant;
using grantd::tests::CacheFixture;

TEST_CASE("fetch wish: without a token there is nothing to be better than") {
  CacheFixture f;
  f.ask({.min_valid = 20s});
  const auto& wish = *f.server->wishes.back();
  CHECK(wish.replaces.empty());
  CHECK_FALSE(wish.rejected);
  CHECK_FALSE(wish.forced);
  CHECK(wish.min_valid == 20s);
  f.ask({.min_valid = 50s});
  CHECK(wish.min_valid == 50s);  // whoever joins may want more
}

TEST_CASE("fetch wish: a renewal names the token that it replaces") {
  CacheFixture f;
  f.ask();
  f.server->succeed("a", 300s);
  const auto obtained = f.time.clock.now();
  f.time.advance(250s);
  REQUIRE(f.server->requests == 2);
  const auto& wish = *f.server->wishes.back();
  CHECK(wish.replaces == "v-a");
  CHECK(wish.obtained == obtained);
  CHECK(wish.expires == obtained + 300s);
  CHECK_FALSE(wish.rejected);
  f.ask({.rejected = "v-a"});
  CHECK(wish.rejected);
}

TEST_CASE("fetch wish: a rejection and a forced renewal are told") {
  CacheFixture f;
  f.ask();
  f.server->succeed("a", 300s);
  f.ask({.rejected = "v-a"});
  CHECK(f.server->wishes.back()->rejected);
  f.server->succeed("b", 300s);
  f.ask({.force_renewal = true});
  CHECK(f.server->wishes.back()->forced);
  f.ask({.force_renewal = true});
  f.server->succeed("c", 300s);
  CHECK(f.server->requests == 4);
  CHECK(f.server->wishes.back()->forced);
}

TEST_CASE("fetch wish: a refused token that is not the one at hand is told, whoever waits for what") {
  CacheFixture f;
  f.ask({.rejected = "v-x"});
  const auto& first = *f.server->wishes.back();
  CHECK(first.refused == std::set<std::string>{"v-x"});
  f.ask({.rejected = "v-y"});
  CHECK(first.refused == std::set<std::string>{"v-x", "v-y"});
  CHECK_FALSE(first.rejected);
  REQUIRE(grantd::tests::evict(f.cache, grantd::daemon::Variant{}, 1000));
  f.ask({.min_valid = 100s, .rejected = "v-z"});  // for the fetch after the one that the eviction made stale
  f.server->succeed("a", 300s);
  CHECK(f.server->requests == 2);
  CHECK(f.server->wishes.back()->refused == std::set<std::string>{"v-z"});
  CHECK(f.server->wishes.back()->min_valid == 100s);
}

TEST_CASE("fetch wish: a token that another machine obtained keeps its own life, and is no fetch") {
  CacheFixture f;
  f.ask();
  const auto now = f.time.clock.now();
  f.server->finish(TokenGrant{.access_token = grantd::common::Secret{"t"},
                              .version = "v-t",
                              .lifetime = 300s,
                              .term = TokenGrant::Term{.obtained = now - 100s, .expires = now + 200s},
                              .shared = true});
  CHECK(f.take() == "t");
  const auto status = f.cache.status();
  CHECK(status.fetched == 0);
  CHECK(status.expires_in == 200s);
  CHECK(status.renews_in == 140s);
  f.time.advance(200s);
  CHECK(f.ask_now() == "waiting");
}

TEST_CASE("fetch wish: eviction tells which tokens were dropped, and is over when that is done") {
  struct Dropping final : grantd::daemon::TokenFetcher {
    void fetch(const grantd::daemon::Variant&, std::shared_ptr<const grantd::daemon::FetchWish>,
               Done) override {}
    void fetch_with_assertion(const grantd::daemon::Variant&, grantd::common::Secret, Done) override {}
    bool credentials_changed() const override { return false; }
    void drop(std::vector<DroppedToken> tokens, Dropped done) override {
      dropped = std::move(tokens);
      finish = std::move(done);
    }
    std::vector<DroppedToken> dropped;
    Dropped finish;
  };
  CacheFixture f;
  f.ask();
  f.server->succeed("a", 300s);
  const auto fetcher = std::make_shared<Dropping>();
  f.cache.reconfigure(f.rules, fetcher);
  bool done = false;
  f.cache.evict(std::nullopt, 0, [&done](auto result) { done = result.has_value(); });
  REQUIRE(fetcher->dropped.size() == 1);
  CHECK(fetcher->dropped.front().version == "v-a");
  CHECK_FALSE(done);
  fetcher->finish();
  CHECK(done);
  f.cache.evict(grantd::daemon::Variant{.scope = {"unknown here"}}, 0, [](auto) {});
  CHECK(fetcher->dropped.front().variant.scope == std::vector<std::string>{"unknown here"});
  CHECK(fetcher->dropped.front().version.empty());
}
