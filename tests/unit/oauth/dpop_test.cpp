#include <doctest/doctest.h>

#include <nlohmann/json.hpp>
#include <span>

#include "daemon/crypto/base64url.hpp"
#include "daemon/oauth/dpop_key_source.hpp"
#include "daemon/oauth/dpop_nonces.hpp"
#include "daemon/oauth/dpop_proof.hpp"
#include "tests/fakes/fixed_entropy.hpp"
#include "tests/fakes/log_recorder.hpp"

using namespace grantd;
using namespace grantd::tests;
using grantd::config::SigningAlgorithm;

namespace {

const common::WallTime issued_at{std::chrono::seconds{1562262616}};

nlohmann::json part_of(const common::Secret& proof, int index) {
  std::string_view text = proof.reveal();
  for (int i = 0; i < index; ++i) text.remove_prefix(text.find('.') + 1);
  return nlohmann::json::parse(daemon::base64url_decode(text.substr(0, text.find('.')))->reveal());
}

}  // namespace

TEST_CASE(
    "dpop proof: holds method, URL without query and fragment, time and an identifier, and no more unless "
    "asked") {
  FixedEntropy entropy;
  const auto key = daemon::DpopKey::generate(SigningAlgorithm::ES256);
  const auto proof = daemon::dpop_proof(
      *key, {.method = "POST", .url = "https://server.example.com/token?a=b#c"}, issued_at, entropy);
  const auto claims = part_of(proof, 1);
  CHECK(claims.at("htm") == "POST");
  CHECK(claims.at("htu") == "https://server.example.com/token");
  CHECK(claims.at("iat") == 1562262616);
  CHECK(claims.at("jti").get<std::string>().size() == 22);
  CHECK(claims.size() == 4);
}

TEST_CASE("dpop proof: the header names type, algorithm and the public key alone") {
  FixedEntropy entropy;
  for (const auto algorithm : {SigningAlgorithm::ES384, SigningAlgorithm::PS256, SigningAlgorithm::EdDSA}) {
    const auto key = daemon::DpopKey::generate(algorithm);
    const auto header =
        part_of(daemon::dpop_proof(*key, {.method = "GET", .url = "https://a"}, issued_at, entropy), 0);
    CHECK(header.at("typ") == "dpop+jwt");
    CHECK(header.at("alg") == name(algorithm));
    CHECK_FALSE(header.at("jwk").contains("d"));
    CHECK(header.size() == 3);
  }
}

TEST_CASE("dpop proof: a token's hash is that of RFC 9449 section 7.1") {
  CHECK(daemon::access_token_hash("Kz~8mXK1EalYznwH-LC-1fBAo.4Ljp~zsPE_NeO.gxU") ==
        "fUHyO2r2Z3DZ53EsNrWBb0xWXoaNy59IiKCAqksmQEo");
  FixedEntropy entropy;
  const auto key = daemon::DpopKey::generate(SigningAlgorithm::ES256);
  const auto claims = part_of(
      daemon::dpop_proof(*key, {.method = "GET", .url = "https://a", .access_token_hash = "h", .nonce = "n"},
                         issued_at, entropy),
      1);
  CHECK(claims.at("ath") == "h");
  CHECK(claims.at("nonce") == "n");
}

TEST_CASE("dpop nonces: are kept by origin, the newest counts, and what is none is not kept") {
  daemon::DpopNonces nonces;
  const auto url = [](std::string_view text) { return config::Url::parse(text).value(); };
  CHECK(nonces.remember(url("https://a.example/x"), "one"));
  CHECK(nonces.of(url("https://A.example:443/y?z")) == "one");
  CHECK(nonces.of(url("https://a.example:444/")).empty());
  CHECK(nonces.of(url("http://a.example/")).empty());
  CHECK(nonces.remember(url("https://a.example/"), "two"));
  for (const std::string& wrong :
       {std::string{}, std::string{"a b"}, std::string{"a\""}, std::string(2000, 'x')}) {
    CHECK_FALSE(nonces.remember(url("https://a.example/"), wrong));
  }
  CHECK(nonces.of(url("https://a.example/")) == "two");
}

TEST_CASE("dpop key source: a key that was made here stays the same one") {
  LogRecorder log;
  daemon::DpopKeySource source{std::make_shared<config::ClientSettings>(), log};
  CHECK(source.current().value() == source.current().value());
  CHECK_FALSE(source.changed());
  CHECK(source.identity() == "");
}
