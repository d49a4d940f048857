// What a cache leaves for the next process, and goes on with.
#include <doctest/doctest.h>

#include <algorithm>
#include <list>

#include "tests/unit/cache/cache_fixture.hpp"

using namespace std::chrono_literals;
using namespace grantd;
using daemon::CacheRules;
using daemon::CacheStatus;
using daemon::TokenUse;
using daemon::Variant;
using tests::CacheFixture;

namespace {

/// Keeps in the test's memory; `end_process` is what a killed process leaves.
class KeptHere final : public daemon::TokenKeeper {
 public:
  struct Slot {
    Variant variant;
    daemon::TokenPtr token;
    TokenUse use;
    bool ended = false;  // the process that wrote it is gone
  };
  class Handle final : public daemon::KeptToken {
   public:
    Handle(std::list<Slot>& all, std::list<Slot>::iterator at) : all_(all), at_(at) {}
    ~Handle() override {
      if (!at_->ended) all_.erase(at_);
    }
    void set_use(TokenUse use) override {
      if (!at_->ended) at_->use = use;
    }

   private:
    std::list<Slot>& all_;
    std::list<Slot>::iterator at_;
  };

  std::unique_ptr<daemon::KeptToken> keep(const Variant& variant, const daemon::Token& token,
                                          TokenUse use) override {
    most = std::max(most, slots.size() + 1);
    slots.push_back(
        {variant,
         std::make_shared<const daemon::Token>(daemon::Token{.obtained = token.obtained,
                                                             .expires = token.expires,
                                                             .access_token = token.access_token.clone(),
                                                             .version = token.version}),
         use});
    return std::make_unique<Handle>(slots, std::prev(slots.end()));
  }
  std::unique_ptr<daemon::Kept> keep_binding(const std::string&, const daemon::TokenBinding&,
                                             common::BootTime) override {
    return nullptr;
  }
  std::vector<daemon::RestoredToken> take_tokens() override {
    std::vector<daemon::RestoredToken> restored;
    for (auto it = slots.begin(); it != slots.end(); ++it) {
      if (!it->ended) continue;
      it->ended = false;
      restored.push_back({it->variant, it->token, it->use, std::make_unique<Handle>(slots, it)});
    }
    return restored;
  }
  std::vector<daemon::RestoredBinding> take_bindings() override { return {}; }

  void end_process() {
    for (Slot& slot : slots) slot.ended = true;
  }

  std::list<Slot> slots;
  std::size_t most = 0;
};

struct Restart {
  explicit Restart(CacheRules r = {}) : rules(CacheFixture::with_own_variant(std::move(r))) { start(); }

  void start() {
    server = std::make_shared<tests::ScriptedFetcher>();
    cache = std::make_unique<daemon::TokenCache>(rules, server,
                                                 daemon::CacheParts{time.timers, entropy, log, metrics},
                                                 daemon::TokenOutlets{.keeper = memory});
  }
  void restart(std::chrono::seconds later = 0s) {
    memory->end_process();
    cache.reset();
    time.clock.advance(later);
    start();
  }
  std::string ask(daemon::TokenQuery query = {}) {
    if (auto now = cache->get_now(query)) return CacheFixture::describe(*now);
    std::string answer = "waiting";
    cache->get(query, [&answer](daemon::HandoutResult result) { answer = CacheFixture::describe(result); });
    if (answer == "waiting") server->succeed("fetched", 300s);
    return answer;
  }

  tests::ManualTime time;
  tests::FixedEntropy entropy;
  tests::LogRecorder log;
  daemon::ClientMetrics metrics;
  std::shared_ptr<KeptHere> memory = std::make_shared<KeptHere>();
  CacheRules rules;
  std::shared_ptr<tests::ScriptedFetcher> server;
  std::unique_ptr<daemon::TokenCache> cache;
};

}  // namespace

TEST_CASE("restart: a valid token is served by the next process without a request") {
  Restart r;
  REQUIRE(r.ask() == "fetched");
  r.restart(10s);
  CHECK(r.cache->status().state == CacheStatus::State::ready);
  CHECK(r.ask() == "fetched");
  CHECK(r.server->requests == 0);
}

TEST_CASE("restart: prefetch asks for nothing that is there, and the daemon is ready at once") {
  Restart r{{.prefetch = true}};
  r.server->succeed("first", 300s);
  r.restart(10s);
  CHECK(r.server->requests == 0);
  CHECK(r.cache->ever_had_token());
}

TEST_CASE("restart: a token that was used is renewed ahead of expiry, one that was not lapses") {
  Restart r{{.max_variants = 8}};
  REQUIRE(r.ask() == "fetched");
  r.restart(1s);
  r.time.advance(250s);
  CHECK(r.server->requests == 1);

  r.server->succeed("renewed", 300s);
  r.restart(1s);
  r.time.advance(295s);
  CHECK(r.server->requests == 0);
}

TEST_CASE("restart: what fell due meanwhile is not renewed in the same moment") {
  Restart r;
  REQUIRE(r.ask() == "fetched");
  r.restart(241s);
  r.time.advance(0s);
  CHECK(r.server->requests == 1);
  r.entropy.set(std::byte{128});
  r.restart();
  r.time.advance(2s);
  CHECK(r.server->requests == 0);
  r.time.advance(4s);
  CHECK(r.server->requests == 1);
}

TEST_CASE("restart: variants that callers asked for come back, within max_variants") {
  Restart r{{.max_variants = 2}};
  for (const char* audience : {"a", "b"}) REQUIRE(r.ask({.variant = {.audience = audience}}) == "fetched");
  r.restart();
  for (const char* audience : {"a", "b"}) r.ask({.variant = {.audience = audience}});
  CHECK(r.server->requests == 0);
  r.rules.max_variants = 1;
  r.restart();
  CHECK(r.memory->slots.size() == 1);
}

TEST_CASE(
    "restart: a replacement is written before the replaced token is forgotten, and is what is restored") {
  Restart r;
  REQUIRE(r.ask() == "fetched");
  r.time.advance(241s);
  r.server->succeed("second", 300s);
  CHECK(r.memory->most == 2);
  CHECK(r.memory->slots.size() == 1);
  auto older = r.memory->slots.front();
  older.token = std::make_shared<const daemon::Token>(daemon::Token{
      .expires = older.token->expires, .access_token = common::Secret{"older"}, .version = "v"});
  r.memory->slots.push_back(older);  // killed in between
  r.restart();
  CHECK(r.ask() == "second");
  CHECK(r.memory->slots.size() == 1);
}

TEST_CASE("restart: an evicted or expired token is forgotten") {
  Restart r;
  REQUIRE(r.ask() == "fetched");
  REQUIRE(grantd::tests::evict(*r.cache, std::nullopt, 0));
  CHECK(r.memory->slots.empty());
  REQUIRE(r.ask() == "fetched");
  r.restart();
  r.time.advance(301s);
  REQUIRE(r.server->requests == 1);
  r.server->fail(daemon::FetchError::Memory::transient, common::ErrorCode::authorization_server_unavailable);
  r.time.advance(1s);
  CHECK(r.memory->slots.empty());
}

TEST_CASE("restart: the backoff for an API that refuses every token goes on") {
  Restart r;
  REQUIRE(r.ask() == "fetched");
  const auto rejected = [&] {
    return daemon::TokenQuery{.rejected = r.memory->slots.front().token->version};
  };
  std::string answer;
  r.cache->get(rejected(), [&](daemon::HandoutResult result) { answer = CacheFixture::describe(result); });
  r.server->succeed("second", 300s);
  REQUIRE(answer == "second");
  r.restart();
  CHECK(r.ask(rejected()) == "second");
  CHECK(r.server->requests == 0);
}

TEST_CASE(
    "restart: of a definition that is gone nothing is kept, and nothing is renewed though it was used") {
  Restart r;
  REQUIRE(r.ask() == "fetched");
  r.cache->retire();
  CHECK(r.memory->slots.empty());
  r.time.advance(280s);
  CHECK(r.server->requests == 1);
  CHECK(r.ask() == "fetched");
  CHECK(r.server->requests == 1);
}
