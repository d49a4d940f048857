// The header, which holds the public key, is the same in every proof and so is written once.
#include "daemon/oauth/dpop_proof.hpp"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <utility>

#include "daemon/crypto/base64url.hpp"
#include "daemon/crypto/digest.hpp"
#include "daemon/crypto/jws.hpp"

namespace grantd::daemon {

namespace {

std::string header_of(const SigningKey& key, config::SigningAlgorithm algorithm) {
  const nlohmann::json members{
      {"typ", "dpop+jwt"}, {"alg", name(algorithm)}, {"jwk", nlohmann::json::parse(key.public_jwk())}};
  return members.dump();
}

}  // namespace

DpopKey::DpopKey(SigningKey key, config::SigningAlgorithm algorithm)
    : key_(std::move(key)), algorithm_(algorithm), header_(header_of(key_, algorithm_)) {}

std::expected<std::shared_ptr<const DpopKey>, std::string> DpopKey::of(
    SigningKey key, std::optional<config::SigningAlgorithm> algorithm) {
  const auto chosen = algorithm.value_or(key.natural_algorithm());
  if (auto suits = key.suits(chosen); !suits) return std::unexpected(std::move(suits.error()));
  return std::shared_ptr<const DpopKey>(new DpopKey(std::move(key), chosen));
}

std::shared_ptr<const DpopKey> DpopKey::generate(config::SigningAlgorithm algorithm) {
  return std::shared_ptr<const DpopKey>(new DpopKey(SigningKey::generate(algorithm), algorithm));
}

common::Secret DpopKey::sign(std::string_view claims) const {
  return signed_jws(header_, claims, key_, algorithm_);
}

common::Secret dpop_proof(const DpopKey& key, const ProvenRequest& request, common::WallTime now,
                          common::Entropy& entropy) {
  std::array<std::byte, 16> unique{};
  entropy.fill(unique);
  const auto seconds = std::chrono::floor<std::chrono::seconds>(now.time_since_epoch());
  nlohmann::json claims{{"jti", base64url_encode(unique)},
                        {"htm", request.method},
                        {"htu", request.url.substr(0, request.url.find_first_of("?#"))},
                        {"iat", seconds.count()}};
  if (!request.access_token_hash.empty()) claims["ath"] = request.access_token_hash;
  if (!request.nonce.empty()) claims["nonce"] = request.nonce;
  return key.sign(claims.dump());
}

std::string access_token_hash(std::string_view access_token) {
  return base64url_encode(sha256(access_token));
}

}  // namespace grantd::daemon
