#include <doctest/doctest.h>

#include "daemon/oauth/dpop_proof.hpp"
#include "tests/unit/shared/fleet_fixture.hpp"

using namespace grantd;
using namespace grantd::tests;
using namespace std::chrono_literals;

TEST_CASE(
    "rotation: a token got with a credential that came meanwhile is not written under the old one's name") {
  Fleet f;
  SUBCASE("while waiting for somebody else's") {
    f.b.ask();  // has the lease
    f.a.ask();
    f.a.authentication->word = "new";
    f.b.server->fail(daemon::FetchError::Memory::variant, common::ErrorCode::token_request_rejected);
    f.pass(200ms);
  }
  SUBCASE("while the request is under way") {
    f.a.ask();
    f.a.authentication->word = "new";
  }
  REQUIRE(f.a.server->requests == 1);
  f.a.succeed("t");
  CHECK(f.a.take() == "t");
  CHECK(f.names.count() == 0);
  CHECK(f.a.memory.under_way.empty());
}

TEST_CASE("rotation: whoever asks with a new credential holds up nobody with the old one") {
  Fleet f;
  f.a.fetcher.fetch({}, std::make_shared<daemon::FetchWish>(), [](auto) {});
  f.a.authentication->word = "new";
  f.a.store->settle();
  CHECK(f.a.server->requests == 1);
  CHECK(f.names.count() == 0);  // no lease is left
}

TEST_CASE("rotation: a token bound to another key than the name's is not written") {
  Fleet f;
  const auto key = daemon::DpopKey::generate(config::SigningAlgorithm::ES256);
  f.a.ask();
  f.a.server->finish(daemon::TokenGrant{.access_token = common::Secret{"t"},
                                        .type = daemon::TokenType::dpop,
                                        .version = version("t"),
                                        .binding = std::make_shared<daemon::TokenBinding>(key, "hash"),
                                        .lifetime = 300s});
  f.a.store->settle();
  CHECK(f.a.take() == "t");
  CHECK(f.names.count() == 0);
}

TEST_CASE("rotation: a rejected token does not stay under the other key's name either") {
  Fleet f;
  f.a.keys->text = first_key + "\n" + second_key;
  f.b.keys->text = second_key + "\n" + first_key;
  f.a.ask();
  f.a.succeed("one");
  f.b.ask({.replaces = version("one"), .expires = f.a.last.term->expires, .rejected = true});
  f.b.succeed("two");
  CHECK(f.names.count() == 1);
  f.a.answers.clear();
  f.a.ask();
  CHECK(f.a.take() == "two shared");
}
