#include <doctest/doctest.h>

#include "tests/unit/cache/cache_fixture.hpp"

using namespace std::chrono_literals;
using grantd::common::ErrorCode;
using grantd::daemon::CacheRules;
using grantd::daemon::CacheStatus;
using grantd::daemon::TokenQuery;
using grantd::daemon::Variant;
using grantd::tests::CacheFixture;
using Memory = CacheFixture::Memory;

TEST_CASE("token cache: concurrent misses cause one fetch and share its result") {
  CacheFixture f;
  for (int i = 0; i < 1000; ++i) f.ask();
  CHECK(f.server->requests == 1);
  f.server->succeed("a");
  CHECK(f.answers == std::vector<std::string>(1000, "a"));
}

TEST_CASE("token cache: a fresh token is handed out without a request") {
  CacheFixture f;
  f.ask();
  f.server->succeed("a");
  CHECK(f.ask_now() == "a");
  f.time.advance(200s);
  CHECK(f.ask_now() == "a");
  CHECK(f.server->requests == 1);
}

TEST_CASE("token cache: past its renewal time a token is served at once while one renewal runs") {
  CacheFixture f;
  f.ask();
  f.server->succeed("a", 300s);
  f.time.clock.advance(241s);
  CHECK(f.ask_now() == "a");
  CHECK(f.ask_now() == "a");
  CHECK(f.server->requests == 2);
  f.server->succeed("b", 300s);
  CHECK(f.ask_now() == "b");
}

TEST_CASE("token cache: a used token is renewed by the clock alone, an unused replacement lapses") {
  CacheFixture f;
  f.ask();
  f.server->succeed("a", 300s);
  f.time.advance(240s);
  REQUIRE(f.server->requests == 2);
  f.server->succeed("b", 300s);
  f.time.advance(1h);
  CHECK(f.server->requests == 2);
  CHECK(f.cache.status().state == CacheStatus::State::idle);
}

TEST_CASE("token cache: prefetch keeps a token fresh that nobody asks for") {
  CacheFixture f{{.prefetch = true}};
  CHECK(f.server->requests == 1);
  CHECK_FALSE(f.cache.ever_had_token());
  f.server->succeed("a", 300s);
  CHECK(f.cache.ever_had_token());
  f.time.advance(240s);
  f.server->succeed("b", 300s);
  f.time.advance(240s);
  CHECK(f.server->requests == 3);
}

TEST_CASE("token cache: prefetch tries again after a failure, with growing pauses") {
  CacheFixture f{{.prefetch = true}};
  f.server->fail(Memory::transient, ErrorCode::authorization_server_unavailable);
  f.time.advance(999ms);
  CHECK(f.server->requests == 1);
  f.time.advance(1ms);
  CHECK(f.server->requests == 2);
  f.server->fail(Memory::transient, ErrorCode::authorization_server_unavailable);
  f.time.advance(1999ms);
  CHECK(f.server->requests == 2);
  f.time.advance(1ms);
  CHECK(f.server->requests == 3);
}

TEST_CASE("token cache: a token with less than its least validity left makes callers wait for the next") {
  CacheFixture f;
  f.ask();
  f.server->succeed("a", 300s);
  f.time.clock.advance(291s);
  CHECK(f.ask_now() == "waiting");
  f.server->succeed("b", 300s);
  CHECK(f.take() == "b");
}

TEST_CASE(
    "token cache: while the server is down a token is served as long as it is valid, then never again") {
  CacheFixture f;
  f.ask();
  f.server->succeed("a", 300s);
  f.time.clock.advance(295s);
  CHECK(f.ask_now() == "waiting");
  f.server->fail(Memory::transient, ErrorCode::authorization_server_unavailable);
  CHECK(f.take() == "a");
  CHECK(f.ask_now() == "a");
  CHECK(f.server->requests == 2);
  f.time.clock.advance(5s);
  CHECK(f.ask_now() == "waiting");
  f.server->fail(Memory::transient, ErrorCode::authorization_server_unavailable);
  CHECK(f.take() == "authorization_server_unavailable");
}

TEST_CASE("token cache: a failure is answered again without asking the server until its time is over") {
  CacheFixture f;
  f.ask();
  f.server->fail(Memory::variant, ErrorCode::token_request_rejected);
  CHECK(f.take() == "token_request_rejected");
  CHECK(f.ask_now() == "token_request_rejected");
  CHECK(f.server->requests == 1);
  f.time.clock.advance(1s);
  CHECK(f.ask_now() == "waiting");
}

TEST_CASE("token cache: a refused client is remembered for every variant, a refused scope for its own") {
  CacheFixture f;
  const TokenQuery other{.variant = {.scope = {"other"}}};
  f.ask(other);
  f.server->fail(Memory::variant, ErrorCode::token_request_rejected);
  CHECK(f.ask_now() == "waiting");
  f.server->fail(Memory::client, ErrorCode::token_request_rejected);
  f.time.clock.advance(500ms);
  CHECK(f.ask_now({.variant = {.scope = {"third"}}}) == "token_request_rejected");
  CHECK(f.server->requests == 2);
}

TEST_CASE("token cache: changed credentials void a remembered error") {
  CacheFixture f;
  f.ask();
  f.server->fail(Memory::client, ErrorCode::token_request_rejected);
  CHECK(f.ask_now() == "token_request_rejected");
  f.server->changed = true;
  CHECK(f.ask_now() == "waiting");
}

TEST_CASE("token cache: unreadable credentials are not remembered") {
  CacheFixture f;
  f.ask();
  f.server->fail(Memory::none, ErrorCode::client_unavailable);
  CHECK(f.take() == "client_unavailable");
  CHECK(f.ask_now() == "waiting");
}

TEST_CASE("token cache: unreadable credentials do not turn every use of a valid token into an attempt") {
  CacheFixture f;
  f.ask();
  f.server->succeed("a", 300s);
  f.time.clock.advance(250s);
  CHECK(f.ask_now() == "a");
  f.server->fail(Memory::none, ErrorCode::client_unavailable);
  for (int i = 0; i < 100; ++i) CHECK(f.ask_now() == "a");
  CHECK(f.server->requests == 2);
}

TEST_CASE("token cache: the same token again keeps its version and never becomes a loop") {
  CacheFixture f;
  f.ask();
  f.server->succeed("a", 100s);
  f.time.clock.advance(60s);
  CHECK(f.ask_now() == "a");
  f.server->succeed("a", 100s);  // still names the full lifetime
  for (int i = 0; i < 100; ++i) CHECK(f.ask_now() == "a");
  CHECK(f.server->requests == 2);
  f.time.clock.advance(20s);
  CHECK(f.ask_now() == "a");
  CHECK(f.server->requests == 3);
  f.server->succeed("a", 20s);
  f.time.clock.advance(20s);
  CHECK(f.ask_now() == "waiting");  // the first answer's end counted
}

TEST_CASE("token cache: a lifetime of zero is given to those who wait and not cached") {
  CacheFixture f;
  f.ask();
  f.ask();
  f.server->succeed("a", 0s);
  CHECK(f.answers == std::vector<std::string>{"a", "a"});
  CHECK(f.ask_now() == "waiting");
}

TEST_CASE("token cache: variants are cached apart, equal ones together") {
  CacheFixture f;
  f.ask({.variant = {.scope = {"a"}}});
  f.ask({.variant = {.scope = {"a"}}});
  f.ask({.variant = {.scope = {"a"}, .parameters = {{"tenant", "1"}}}});
  f.ask({.variant = {.scope = {"a"}, .audience = "x"}});
  f.ask({.variant = {.scope = {"a"}, .resource = {"https://r.example"}}});
  CHECK(f.server->requests == 4);
}

TEST_CASE("token cache: the least recently used variant is dropped, a configured one never") {
  CacheFixture f{{.max_variants = 2, .configured = {Variant{}, Variant{.scope = {"api"}}}}};
  const auto fetch = [&](const std::string& scope) {
    f.ask({.variant = {.scope = {scope}}});
    if (!f.server->under_way.empty()) f.server->succeed(scope);
    f.answers.clear();
  };
  fetch("api");
  fetch("one");
  fetch("two");
  fetch("one");
  fetch("three");
  CHECK(f.server->requests == 4);
  CHECK(f.ask_now({.variant = {.scope = {"one"}}}) == "one");
  CHECK(f.ask_now({.variant = {.scope = {"api"}}}) == "api");
  CHECK(f.ask_now({.variant = {.scope = {"two"}}}) == "waiting");
}

TEST_CASE("token cache: a reload keeps tokens, applies the new timing and forgets errors") {
  CacheFixture f;
  f.ask();
  f.server->succeed("a", 300s);
  CacheRules rules = f.rules;
  rules.refresh_before_expiry = 150s;
  const auto replacement = std::make_shared<grantd::tests::ScriptedFetcher>();
  f.cache.reconfigure(rules, replacement);
  CHECK(f.ask_now() == "a");
  f.time.clock.advance(151s);
  CHECK(f.ask_now() == "a");
  CHECK(replacement->requests == 1);
}

TEST_CASE("token cache: after a reload the definition's own token is the one of its new variant") {
  CacheFixture f{{.max_variants = 1, .configured = {Variant{}}}};
  const auto own = [&f] {
    const auto result = f.cache.get_own_now(7, f.time.clock.now());
    return result ? CacheFixture::describe(*result) : "none";
  };
  CHECK(own() == "none");
  f.ask();
  f.server->succeed("a");
  CHECK(own() == "a");
  CHECK(f.cache.status().served == 2);
  CacheRules rules = f.rules;
  rules.configured = {Variant{.scope = {"one"}}, Variant{.scope = {"two"}}, Variant{.scope = {"three"}}};
  f.cache.reconfigure(rules, f.server);
  CHECK(own() == "none");
  f.ask({.variant = {.scope = {"one"}}});
  f.server->succeed("b");
  CHECK(own() == "b");
  CHECK(f.ask_now({.variant = {}}) == "a");
}

TEST_CASE("token cache: a variant that the configuration named until now was used until now") {
  CacheFixture f{{.max_variants = 2, .configured = {Variant{}}}};
  f.ask();
  f.server->succeed("own");
  for (const char* scope : {"one", "two"}) {
    f.ask({.variant = {.scope = {scope}}});
    f.server->succeed(scope);
  }
  CacheRules rules = f.rules;
  rules.configured = {Variant{.scope = {"new"}}};
  f.cache.reconfigure(rules, f.server);
  f.ask({.variant = {.scope = {"three"}}});
  f.server->succeed("three");
  CHECK(f.ask_now({.variant = {}}) == "own");
}

TEST_CASE("token cache: a request that a reload overtakes still answers its callers") {
  CacheFixture f;
  f.ask();
  f.cache.reconfigure(f.rules, std::make_shared<grantd::tests::ScriptedFetcher>());
  f.server->succeed("a");
  CHECK(f.take() == "a");
}
