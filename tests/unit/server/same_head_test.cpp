// Requests of one connection that have the same head, byte for byte.
#include <doctest/doctest.h>

#include "tests/unit/server/server_fixture.hpp"

namespace grantd::tests {
namespace {

struct CountingMemo final : RequestMemo {
  int uses = 0;
};

/// Answers how often it met its note, "none" where nothing is remembered.
awaitable<void> count_uses(Exchange& exchange) {
  auto* const memo = exchange.memo();
  if (memo == nullptr) return exchange.respond({.body = "none"});
  if (!*memo) *memo = std::make_unique<CountingMemo>();
  const int uses = ++static_cast<CountingMemo&>(**memo).uses;
  return exchange.respond({.body = std::string{exchange.request().target} + std::to_string(uses)});
}

TEST_CASE("session: a note of a handler is there for the same head again, and for no other") {
  ServerFixture f;
  f.handler.answer = count_uses;
  Caller caller{f};
  CHECK(caller.ask(get("/a")).body == "/a1");
  CHECK(caller.ask(get("/a")).body == "/a2");
  CHECK(caller.ask(get("/ab")).body == "/ab1");
  CHECK(caller.ask(get("/a")).body == "/a1");
  CHECK(caller.ask(get("/a", "Accept: x\r\n")).body == "/a1");
  CHECK(caller.ask(get("/a", "Accept: y\r\n")).body == "/a1");
  CHECK(caller.ask("\r\n" + get("/a", "Accept: y\r\n")).body == "/a2");
  Caller other{f};
  CHECK(other.ask(get("/a", "Accept: y\r\n")).body == "/a1");
}

TEST_CASE("session: nothing is remembered of a request with a body or a secret") {
  ServerFixture f;
  f.handler.answer = count_uses;
  Caller caller{f};
  CHECK(caller.ask(get("/a")).body == "/a1");
  CHECK(caller.ask(get("/a", "Cookie: x\r\n")).body == "none");
  CHECK(caller.ask(get("/a")).body == "/a1");
  CHECK(caller.ask(post("/a", "one")).body == "none");
  CHECK(caller.ask(post("/a", "two")).body == "none");
  CHECK(caller.ask(get("/a")).body == "/a1");
}

TEST_CASE("session: the same head comes in pieces, and several at once") {
  ServerFixture f;
  f.handler.answer = count_uses;
  Caller caller{f};
  const std::string request = get("/a");
  CHECK(caller.ask(request).body == "/a1");
  caller.send(std::string_view{request}.substr(0, 9));
  CHECK(caller.ask(std::string_view{request}.substr(9)).body == "/a2");
  caller.send(request + request + get("/b"));
  CHECK(caller.receive().body == "/a3");
  CHECK(caller.receive().body == "/a4");
  CHECK(caller.receive().body == "/b1");
}

TEST_CASE("session: a malformed head after a good one is refused like any other") {
  ServerFixture f;
  f.handler.answer = count_uses;
  Caller caller{f};
  CHECK(caller.ask(get("/a")).body == "/a1");
  std::string bad = get("/a");
  bad.insert(bad.size() - 2, "X : y\r\n");
  CHECK(caller.ask(bad).status == 400);
  CHECK(caller.is_closed());
}

}  // namespace
}  // namespace grantd::tests
