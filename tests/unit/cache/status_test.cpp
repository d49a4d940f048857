#include <doctest/doctest.h>

#include "tests/unit/cache/cache_fixture.hpp"

using namespace std::chrono_literals;
using grantd::common::ErrorCode;
using grantd::daemon::CacheStatus;
using grantd::daemon::TokenQuery;
using grantd::tests::CacheFixture;
using Memory = CacheFixture::Memory;

namespace {

const TokenQuery other_scope{.variant = {.scope = {"other"}}};

/// "idle" and the like; of a definition whose last attempt failed also the code.
std::string told(const CacheFixture& f) {
  const CacheStatus status = f.cache.status();
  std::string text{name(status.state)};
  if (status.last_error) text.append(": ").append(name(status.last_error->code));
  return text;
}

}  // namespace

TEST_CASE("status: tells state, times and counts") {
  CacheFixture f;
  CHECK(told(f) == "idle");
  f.ask();
  CHECK(told(f) == "fetching");
  f.server->succeed("a", 300s);
  const auto ready = f.cache.status();
  CHECK(ready.state == CacheStatus::State::ready);
  CHECK(ready.expires_in == 300s);
  CHECK(ready.renews_in == 240s);
  CHECK(ready.served == 1);
  CHECK(ready.fetched == 1);
  f.time.clock.advance(250s);
  f.ask();
  CHECK(told(f) == "renewing");
  f.server->fail(Memory::transient, ErrorCode::token_request_timeout);
  CHECK(told(f) == "failing: token_request_timeout");
}

TEST_CASE("status: counts begin with the cache, whatever was counted under the definition's name before") {
  CacheFixture f;
  f.ask();
  f.server->succeed("a", 300s);
  CHECK(f.cache.status().served == 1);
  const grantd::daemon::TokenCache next{f.rules, f.server, {f.time.timers, f.entropy, f.log, f.metrics}};
  CHECK(next.status().served == 0);
  CHECK(next.status().fetched == 0);
  CHECK(f.metrics.served() == 1);
}

TEST_CASE("status: any failed attempt is told until one succeeds, while another runs, too") {
  for (const Memory memory : {Memory::none, Memory::transient, Memory::variant, Memory::client}) {
    CacheFixture f;
    f.ask();
    f.server->fail(memory, ErrorCode::client_unavailable);
    CHECK(told(f) == "failing: client_unavailable");
    f.time.clock.advance(1h);
    CHECK(told(f) == "failing: client_unavailable");
    f.ask();
    CHECK(told(f) == "fetching: client_unavailable");
    f.server->succeed("a");
    CHECK(told(f) == "ready");
  }
}

TEST_CASE("status: a reload forgets a failure of any kind") {
  for (const Memory memory : {Memory::none, Memory::transient, Memory::variant, Memory::client}) {
    CacheFixture f;
    f.ask();
    f.server->fail(memory, ErrorCode::client_unavailable);
    f.cache.reconfigure(f.rules, f.server);
    CHECK(told(f) == "idle");
  }
}

TEST_CASE("status: the last failure is told, not an older one of another kind") {
  const std::vector<Memory> kinds{Memory::none, Memory::transient, Memory::variant, Memory::client};
  for (const Memory first : kinds) {
    for (const Memory second : kinds) {
      CacheFixture f;
      f.ask();
      f.server->fail(first, ErrorCode::authorization_server_unavailable);
      f.time.clock.advance(1s);
      f.ask();
      f.server->fail(second, ErrorCode::token_request_rejected);
      CHECK(told(f) == "failing: token_request_rejected");
    }
  }
}

TEST_CASE("status: what another variant learned of the client shows, what it learned of itself does not") {
  for (const Memory memory : {Memory::none, Memory::client}) {
    CacheFixture f;
    f.ask(other_scope);
    f.server->fail(memory, ErrorCode::client_unavailable);
    CHECK(told(f) == "failing: client_unavailable");
  }
  for (const Memory memory : {Memory::transient, Memory::variant}) {
    CacheFixture f;
    f.ask(other_scope);
    f.server->fail(memory, ErrorCode::token_request_rejected);
    CHECK(told(f) == "idle");
  }
}

TEST_CASE("status: of its own failure and another variant's, the later one is told") {
  CacheFixture f;
  f.ask();
  f.server->fail(Memory::transient, ErrorCode::authorization_server_unavailable);
  f.time.clock.advance(1s);
  f.ask(other_scope);
  f.server->fail(Memory::client, ErrorCode::token_request_rejected);
  CHECK(told(f) == "failing: token_request_rejected");
  f.time.clock.advance(1s);
  f.ask();
  f.server->fail(Memory::transient, ErrorCode::token_request_timeout);
  CHECK(told(f) == "failing: token_request_timeout");
}

TEST_CASE("status: another variant's success clears what was said of the client, not of the variant") {
  CacheFixture f;
  f.ask();
  f.server->fail(Memory::client, ErrorCode::token_request_rejected);
  f.time.clock.advance(1s);
  f.ask(other_scope);
  f.server->succeed("a");
  CHECK(told(f) == "idle");

  f.ask();
  f.server->fail(Memory::variant, ErrorCode::token_request_rejected);
  f.time.clock.advance(1h);
  f.ask(other_scope);
  f.server->succeed("b");
  CHECK(told(f) == "failing: token_request_rejected");
}
