#include "daemon/shared/shared_entry.hpp"

#include <doctest/doctest.h>

#include "daemon/crypto/sealed_box.hpp"
#include "tests/unit/shared/fleet_fixture.hpp"

using namespace grantd;
using namespace std::chrono_literals;
using daemon::SharedEntry;

namespace {

daemon::SealingKey key(const std::string& text) {
  auto keys = daemon::parse_sealing_keys(text);
  return std::move(keys.value().front());
}

SharedEntry entry() {
  return {.issued = common::WallTime{1'700'000'000'123ms},
          .lifetime = 300s,
          .type = daemon::TokenType::dpop,
          .access_token = common::Secret{"the-token"},
          .scope = "a b"};
}

}  // namespace

TEST_CASE("shared entry: comes out as it went in") {
  tests::CountingEntropy entropy;
  const auto sealed = daemon::seal_entry(entry(), key(tests::first_key), "name", entropy);
  REQUIRE(sealed);
  CHECK(sealed->find("the-token") == std::string::npos);
  const auto opened = daemon::open_entry(*sealed, key(tests::first_key), "name");
  REQUIRE(opened);
  CHECK(opened->issued == entry().issued);
  CHECK(opened->lifetime == 300s);
  CHECK(opened->type == daemon::TokenType::dpop);
  CHECK(opened->access_token.reveal() == "the-token");
  CHECK(opened->scope == "a b");
}

TEST_CASE("shared entry: two seals of one token have nothing in common but the version") {
  tests::CountingEntropy entropy;
  const auto one = daemon::seal_entry(entry(), key(tests::first_key), "name", entropy);
  const auto two = daemon::seal_entry(entry(), key(tests::first_key), "name", entropy);
  CHECK(one->substr(1, 12) != two->substr(1, 12));
  CHECK(one->substr(13) != two->substr(13));
}

TEST_CASE("shared entry: each flipped bit is noticed") {
  tests::CountingEntropy entropy;
  const auto sealed = daemon::seal_entry(entry(), key(tests::first_key), "name", entropy);
  for (std::size_t i = 0; i < sealed->size() * 8; ++i) {
    std::string flipped = *sealed;
    flipped[i / 8] = static_cast<char>(flipped[i / 8] ^ (1 << (i % 8)));
    CHECK(daemon::open_entry(flipped, key(tests::first_key), "name").error() == (i < 8 ? "version" : "seal"));
  }
}

TEST_CASE("shared entry: another name, another key and a cut end are noticed") {
  tests::CountingEntropy entropy;
  const auto sealed = *daemon::seal_entry(entry(), key(tests::first_key), "name", entropy);
  CHECK(daemon::open_entry(sealed, key(tests::first_key), "other").error() == "seal");
  CHECK(daemon::open_entry(sealed, key(tests::second_key), "name").error() == "seal");
  for (std::size_t size = 1; size < sealed.size(); ++size)
    CHECK(daemon::open_entry(sealed.substr(0, size), key(tests::first_key), "name").error() == "seal");
  CHECK(daemon::open_entry("", key(tests::first_key), "name").error() == "version");
}

TEST_CASE("shared entry: what opens but is no entry is none") {
  const std::string good{daemon::encode_entry(entry()).reveal()};
  REQUIRE(daemon::decode_entry(good));
  CHECK_FALSE(daemon::decode_entry(good + "x"));
  for (std::size_t size = 0; size < good.size(); ++size)
    CHECK_FALSE(daemon::decode_entry(good.substr(0, size)));
  SharedEntry wrong = entry();
  SUBCASE("no lifetime") { wrong.lifetime = 0ms; }
  SUBCASE("a lifetime of centuries") { wrong.lifetime = std::chrono::hours{24 * 400}; }
  SUBCASE("issued before 1970") { wrong.issued = common::WallTime{-1ms}; }
  SUBCASE("no token") { wrong.access_token = common::Secret{}; }
  SUBCASE("a line break in the token") { wrong.access_token = common::Secret{"a\r\nb"}; }
  SUBCASE("a token that is too long") { wrong.access_token = common::Secret{std::string(16385, 'a')}; }
  SUBCASE("a control character in the scope") { wrong.scope = "a\n"; }
  SUBCASE("another type") { wrong.type = static_cast<daemon::TokenType>(2); }
  CHECK_FALSE(daemon::decode_entry(daemon::encode_entry(wrong).reveal()));
}

TEST_CASE("shared entry: what is too large is not sealed") {
  tests::CountingEntropy entropy;
  SharedEntry large = entry();
  large.scope = std::string(daemon::largest_entry, 's');
  CHECK_FALSE(daemon::seal_entry(large, key(tests::first_key), "name", entropy));
}
