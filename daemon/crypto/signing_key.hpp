#pragma once

#include <cstddef>
#include <expected>
#include <string>
#include <string_view>

#include "common/secret.hpp"
#include "config/settings.hpp"
#include "daemon/crypto/openssl.hpp"

namespace grantd::daemon {

/// A private key that signs (RFC 7518 section 3.1, RFC 8037 section 3.1): RSA, EC on P-256, P-384 or P-521,
/// Ed25519 or Ed448. Immutable; any thread.
class SigningKey {
 public:
  /// A key in PEM (PKCS#8, PKCS#1 or SEC1, encrypted ones with their passphrase) or as a JWK (RFC 7517). The
  /// error ends a sentence that begins with what the text was read from, "is encrypted; ..." say, and never
  /// holds a part of it.
  static std::expected<SigningKey, std::string> parse(std::string_view text,
                                                      std::string_view passphrase = {});
  /// A new key of the least size that `algorithm` takes, which is none of the HMAC ones. Throws
  /// std::runtime_error where this machine's OpenSSL does not offer it.
  static SigningKey generate(config::SigningAlgorithm algorithm);

  /// The algorithm where the configuration names none: RS256, the one of the curve, EdDSA.
  config::SigningAlgorithm natural_algorithm() const;
  /// Whether the key may sign with `algorithm`: kind, curve, for RSA at least 2048 bits, and a trial. The
  /// error ends a sentence like that of `parse`.
  std::expected<void, std::string> suits(config::SigningAlgorithm algorithm) const;

  /// The JWK's `kid`, empty where there was none.
  const std::string& id() const { return id_; }
  /// The public half as a JWK with the members that RFC 7638 section 3.2 requires and no other, in its order.
  std::string public_jwk() const;
  /// RFC 7638 with SHA-256, in base64url.
  std::string thumbprint() const;
  /// The whole key in PKCS#8, as `parse` reads it. Throws std::runtime_error where OpenSSL cannot.
  common::Secret private_pem() const;

  /// The signature as JWS has it: ECDSA's are two numbers side by side (RFC 7518 section 3.4). The algorithm
  /// must suit. Throws std::runtime_error where OpenSSL cannot.
  std::string sign(config::SigningAlgorithm algorithm, std::string_view bytes) const;

  /// For TLS and for comparisons; stays the key's.
  EVP_PKEY* handle() const { return key_.get(); }

 private:
  SigningKey(PrivateKey key, std::string id) : key_(std::move(key)), id_(std::move(id)) {}

  PrivateKey key_;
  std::string id_;
};

/// HMAC for HS256, HS384 and HS512 (RFC 7518 section 3.2).
std::string hmac(config::SigningAlgorithm algorithm, std::string_view secret, std::string_view bytes);

/// How many bytes a secret for an HMAC algorithm has at least: as many as the hash (RFC 7518 section 3.2).
std::size_t least_secret(config::SigningAlgorithm algorithm);

}  // namespace grantd::daemon
