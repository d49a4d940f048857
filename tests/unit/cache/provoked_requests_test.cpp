#include <doctest/doctest.h>

#include "tests/unit/cache/cache_fixture.hpp"

using namespace std::chrono_literals;
using grantd::common::ErrorCode;
using grantd::common::Secret;
using grantd::daemon::HandoutResult;
using grantd::daemon::TokenQuery;
using grantd::tests::CacheFixture;
using Memory = CacheFixture::Memory;

TEST_CASE("force renewal: it asks the server and its result replaces the cached token") {
  CacheFixture f;
  f.ask();
  f.server->succeed("a");
  CHECK(f.ask_now({.force_renewal = true}) == "waiting");
  CHECK(f.ask_now() == "a");
  f.server->succeed("b");
  CHECK(f.take() == "b");
  CHECK(f.ask_now() == "b");
}

TEST_CASE(
    "force renewal: it does not share a request that began before it, all waiting ones share the next") {
  CacheFixture f;
  f.ask();
  for (int i = 0; i < 50; ++i) f.ask({.force_renewal = true});
  CHECK(f.server->requests == 1);
  f.server->succeed("a");
  CHECK(f.server->requests == 2);
  CHECK(f.answers == std::vector<std::string>{"a"});
  f.server->succeed("b");
  CHECK(f.server->requests == 2);
  CHECK(f.answers.size() == 51);
  CHECK(f.answers.back() == "b");
}

TEST_CASE("force renewal: a failure is its answer, and the valid token stays for the others") {
  CacheFixture f;
  f.ask();
  f.server->succeed("a");
  f.ask_now({.force_renewal = true});
  f.server->fail(Memory::transient, ErrorCode::authorization_server_unavailable);
  CHECK(f.take() == "authorization_server_unavailable");
  CHECK(f.ask_now() == "a");
}

TEST_CASE("force renewal: it never overrides a remembered error") {
  CacheFixture f;
  f.ask();
  f.server->fail(Memory::variant, ErrorCode::token_request_rejected);
  CHECK(f.ask_now({.force_renewal = true}) == "token_request_rejected");
  CHECK(f.server->requests == 1);
}

TEST_CASE(
    "rejected: only the current version is renewed, and callers who meet the same 401 share one request") {
  CacheFixture f;
  f.ask();
  f.server->succeed("a");
  f.answers.clear();
  for (int i = 0; i < 1000; ++i) f.ask({.rejected = "v-a"});
  CHECK(f.server->requests == 2);
  CHECK(f.ask_now() == "a");  // in use until its replacement is there
  f.server->succeed("b");
  CHECK(f.answers == std::vector<std::string>(1000, "b"));
  CHECK(f.ask_now({.rejected = "v-a"}) == "b");
  CHECK(f.server->requests == 2);
}

TEST_CASE("rejected: a replacement that is rejected again starts a backoff that doubles") {
  CacheFixture f;
  f.ask();
  f.server->succeed("a");
  f.ask_now({.rejected = "v-a"});
  f.server->succeed("b");
  for (int i = 0; i < 100; ++i) CHECK(f.ask_now({.rejected = "v-b"}) == "b");
  CHECK(f.server->requests == 2);
  f.time.clock.advance(1s);
  CHECK(f.ask_now({.rejected = "v-b"}) == "waiting");
  f.server->succeed("c");
  CHECK(f.ask_now({.rejected = "v-c"}) == "c");
  f.time.clock.advance(1999ms);
  CHECK(f.ask_now({.rejected = "v-c"}) == "c");
  f.time.clock.advance(1ms);
  CHECK(f.ask_now({.rejected = "v-c"}) == "waiting");
}

TEST_CASE("rejected: where no replacement can be had the caller gets the token it has") {
  CacheFixture f;
  f.ask();
  f.server->succeed("a");
  f.ask_now({.rejected = "v-a"});
  f.server->fail(Memory::transient, ErrorCode::authorization_server_unavailable);
  CHECK(f.take() == "a");
  CHECK(f.ask_now({.rejected = "v-a"}) == "a");
  CHECK(f.server->requests == 2);
}

TEST_CASE("min_valid: a token with less left is renewed first, the best there is is returned") {
  CacheFixture f;
  f.ask();
  f.server->succeed("a", 300s);
  CHECK(f.ask_now({.min_valid = 200s}) == "a");
  f.time.clock.advance(150s);
  CHECK(f.ask_now({.min_valid = 200s}) == "waiting");
  f.server->succeed("b", 100s);
  CHECK(f.take() == "b");
}

TEST_CASE("min_valid: zero accepts a token to its last second") {
  CacheFixture f;
  f.ask();
  f.server->succeed("a", 300s);
  f.time.clock.advance(299s);
  CHECK(f.ask_now({.min_valid = 0s}) == "a");
}

TEST_CASE(
    "provoked requests: past the limit a valid token is served, what only the server can give is refused") {
  CacheFixture f{{.max_provoked_requests = 2}};
  f.ask();
  f.server->succeed("a", 300s);
  for (const char* next : {"b", "c"}) {
    f.ask_now({.force_renewal = true, .uid = 7});
    f.server->succeed(next, 300s);
  }
  CHECK(f.ask_now({.force_renewal = true, .uid = 7}) == "too_many_requests");
  CHECK(f.ask_now({.rejected = "v-c", .uid = 7}) == "c");
  CHECK(f.ask_now({.min_valid = 400s, .uid = 7}) == "c");
  CHECK(f.ask_now({.variant = {.scope = {"new"}}, .uid = 7}) == "too_many_requests");
  CHECK(grantd::tests::evict(f.cache, std::nullopt, 7).error().code == ErrorCode::too_many_requests);
  CHECK(f.ask_now({.uid = 7}) == "c");
  CHECK(f.server->requests == 3);
  CHECK(f.ask_now({.force_renewal = true, .uid = 8}) == "waiting");
}

TEST_CASE("provoked requests: renewal ahead of expiry and the configured token are never refused") {
  CacheFixture f{{.max_provoked_requests = 0}};
  CHECK(f.ask_now({.uid = 7}) == "waiting");
  f.server->succeed("a", 300s);
  f.time.clock.advance(295s);
  CHECK(f.ask_now({.uid = 7}) == "waiting");
  CHECK(f.server->requests == 2);
}

TEST_CASE("provoked requests: refused combinations push nobody's token out") {
  CacheFixture f{{.max_variants = 1, .max_provoked_requests = 1}};
  f.ask({.variant = {.scope = {"mine"}}, .uid = 1});
  f.server->succeed("mine");
  f.answers.clear();
  f.ask({.variant = {.scope = {"first"}}, .uid = 2});
  f.server->succeed("first");
  for (int i = 0; i < 10; ++i) f.ask({.variant = {.scope = {"x" + std::to_string(i)}}, .uid = 2});
  CHECK(f.ask_now({.variant = {.scope = {"first"}}, .uid = 2}) == "first");
}

TEST_CASE("evict: the token is gone, and a request under way does not bring it back") {
  CacheFixture f;
  f.ask();
  REQUIRE(grantd::tests::evict(f.cache, std::nullopt, 1).has_value());
  f.ask();
  f.server->succeed("a");
  CHECK(f.answers == std::vector<std::string>{"a"});  // its own caller is still answered
  CHECK(f.server->requests == 2);
  f.server->succeed("b");
  CHECK(f.answers.back() == "b");
  CHECK(f.ask_now() == "b");
}

TEST_CASE("evict: one variant leaves the others alone") {
  CacheFixture f;
  f.ask();
  f.server->succeed("a");
  f.ask({.variant = {.scope = {"s"}}});
  f.server->succeed("b");
  REQUIRE(grantd::tests::evict(f.cache, grantd::daemon::Variant{.scope = {"s"}}, 1).has_value());
  CHECK(f.ask_now() == "a");
  CHECK(f.ask_now({.variant = {.scope = {"s"}}}) == "waiting");
}

TEST_CASE("assertion: its token is given to its caller alone") {
  CacheFixture f;
  std::vector<std::string> answers;
  const auto note = [&](HandoutResult result) { answers.push_back(CacheFixture::describe(result)); };
  f.cache.get_with_assertion({}, Secret{"one"}, note);
  f.cache.get_with_assertion({}, Secret{"two"}, note);
  CHECK(f.server->requests == 2);
  f.server->succeed("a");
  f.server->fail(Memory::client, ErrorCode::token_request_rejected);
  CHECK(answers == std::vector<std::string>{"a", "token_request_rejected"});
  CHECK(f.ask_now() == "waiting");  // neither token nor error was kept
}
