#pragma once

#include <expected>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "common/clock.hpp"
#include "common/entropy.hpp"
#include "common/secret.hpp"
#include "daemon/crypto/signing_key.hpp"

namespace grantd::daemon {

/// A private key that tokens are bound to, and the algorithm of its proofs (RFC 9449). Immutable; any thread.
class DpopKey {
 public:
  /// By default with the key's natural algorithm. The error ends a sentence that begins with what the key was
  /// read from.
  static std::expected<std::shared_ptr<const DpopKey>, std::string> of(
      SigningKey key, std::optional<config::SigningAlgorithm> algorithm = std::nullopt);
  /// A new key. Throws std::runtime_error where this machine's OpenSSL does not offer the algorithm.
  static std::shared_ptr<const DpopKey> generate(config::SigningAlgorithm algorithm);

  /// RFC 7638, as `jkt` has it.
  std::string thumbprint() const { return key_.thumbprint(); }
  /// For keeping a key that was made here.
  common::Secret private_pem() const { return key_.private_pem(); }

  /// A proof with these claims, which are JSON.
  common::Secret sign(std::string_view claims) const;

 private:
  DpopKey(SigningKey key, config::SigningAlgorithm algorithm);

  const SigningKey key_;
  const config::SigningAlgorithm algorithm_;
  const std::string header_;  // JSON
};

/// The request that a proof is for.
struct ProvenRequest {
  std::string_view method;
  /// Its URL; query and fragment do not count.
  std::string_view url;
  /// Empty: no token goes along.
  std::string_view access_token_hash = {};
  /// The server's, empty: none.
  std::string_view nonce = {};
};

/// A proof (RFC 9449 section 4.2) with an identifier of its own, good for one request.
common::Secret dpop_proof(const DpopKey& key, const ProvenRequest& request, common::WallTime now,
                          common::Entropy& entropy);

/// `ath`: SHA-256 in base64url.
std::string access_token_hash(std::string_view access_token);

}  // namespace grantd::daemon
