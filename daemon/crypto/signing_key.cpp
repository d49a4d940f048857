// Which key may sign with which algorithm is asked before it is used, so that a mismatch is a configuration
// error with a name and not a server's "invalid_client".
#include "daemon/crypto/signing_key.hpp"

#include <openssl/ecdsa.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>

#include <algorithm>
#include <array>
#include <stdexcept>
#include <utility>
#include <vector>

#include "daemon/crypto/base64url.hpp"
#include "daemon/crypto/digest.hpp"
#include "daemon/crypto/jwk.hpp"

namespace grantd::daemon {

namespace {

using config::SigningAlgorithm;
using Failure = std::unexpected<std::string>;
using DigestContext = std::unique_ptr<EVP_MD_CTX, FreeWith<&EVP_MD_CTX_free>>;
using EcSignature = std::unique_ptr<ECDSA_SIG, FreeWith<&ECDSA_SIG_free>>;

constexpr int least_rsa_bits = 2048;

enum class Kind { rsa, pss, ec, edwards, hmac };

struct Rule {
  Kind kind;
  const EVP_MD* (*hash)();  // null: the algorithm brings its own
  int bits = 0;             // of the curve
};

const Rule& rule_of(SigningAlgorithm algorithm) {
  static constexpr Rule rules[] = {
      {Kind::rsa, EVP_sha256},     {Kind::rsa, EVP_sha384},     {Kind::rsa, EVP_sha512},
      {Kind::pss, EVP_sha256},     {Kind::pss, EVP_sha384},     {Kind::pss, EVP_sha512},
      {Kind::ec, EVP_sha256, 256}, {Kind::ec, EVP_sha384, 384}, {Kind::ec, EVP_sha512, 521},
      {Kind::edwards, nullptr},    {Kind::hmac, EVP_sha256},    {Kind::hmac, EVP_sha384},
      {Kind::hmac, EVP_sha512}};
  return rules[static_cast<std::size_t>(algorithm)];
}

bool is_edwards(int id) { return id == EVP_PKEY_ED25519 || id == EVP_PKEY_ED448; }

std::string_view spoken_kind(const EVP_PKEY* key) {
  const int id = EVP_PKEY_get_base_id(key);
  if (is_edwards(id)) return "an Edwards curve key";
  if (id != EVP_PKEY_EC) return "an RSA key";
  const int bits = EVP_PKEY_get_bits(key);
  return bits == 256 ? "a key on P-256" : bits == 384 ? "a key on P-384" : "a key on P-521";
}

// Called for encrypted keys only.
int give_passphrase(char* into, int size, int, void* context) {
  auto& [passphrase, asked] = *static_cast<std::pair<std::string_view, bool>*>(context);
  asked = true;
  if (passphrase.empty() || passphrase.size() > static_cast<std::size_t>(size)) return -1;
  std::ranges::copy(passphrase, into);
  return static_cast<int>(passphrase.size());
}

std::expected<PrivateKey, std::string> parse_pem(std::string_view text, std::string_view passphrase) {
  const MemoryBio bio{BIO_new_mem_buf(text.data(), static_cast<int>(text.size()))};
  std::pair<std::string_view, bool> context{passphrase, false};
  PrivateKey key{PEM_read_bio_PrivateKey(bio.get(), nullptr, give_passphrase, &context)};
  if (key) return key;
  take_openssl_error();
  if (context.second && passphrase.empty())
    return Failure{
        "is encrypted, and there is no passphrase for it: private_key_passphrase_file may name one for a "
        "private key, a "
        "DPoP key has none"};
  if (context.second) return Failure{"is encrypted, and the passphrase does not open it"};
  return Failure{"is no private key in PEM or JWK format"};
}

bool is_known_kind(const EVP_PKEY* key) {
  switch (EVP_PKEY_get_base_id(key)) {
    case EVP_PKEY_RSA:
    case EVP_PKEY_RSA_PSS:
    case EVP_PKEY_ED25519:
    case EVP_PKEY_ED448:
      return true;
    case EVP_PKEY_EC: {
      std::array<char, 64> group{};
      std::size_t size = 0;
      EVP_PKEY_get_group_name(key, group.data(), group.size(), &size);
      constexpr std::string_view known[] = {"prime256v1", "secp384r1", "secp521r1",
                                            "P-256",      "P-384",     "P-521"};
      return std::ranges::find(known, std::string_view{group.data(), size}) != std::end(known);
    }
    default:
      return false;
  }
}

[[noreturn]] void cannot(std::string_view what) {
  throw std::runtime_error{"OpenSSL cannot " + std::string{what} + ": " + take_openssl_error()};
}

// From the SEQUENCE of two INTEGERs to two numbers of the curve's size.
std::string side_by_side(std::string_view der, int bits) {
  const auto* at = reinterpret_cast<const unsigned char*>(der.data());
  const EcSignature signature{d2i_ECDSA_SIG(nullptr, &at, static_cast<long>(der.size()))};
  if (!signature) cannot("read its own signature");
  const int size = (bits + 7) / 8;
  std::vector<unsigned char> raw(2 * static_cast<std::size_t>(size));
  BN_bn2binpad(ECDSA_SIG_get0_r(signature.get()), raw.data(), size);
  BN_bn2binpad(ECDSA_SIG_get0_s(signature.get()), raw.data() + size, size);
  return {raw.begin(), raw.end()};
}

}  // namespace

std::expected<SigningKey, std::string> SigningKey::parse(std::string_view text, std::string_view passphrase) {
  const auto first = text.find_first_not_of(" \t\r\n");
  if (first == std::string_view::npos) return Failure{"is empty"};
  if (text[first] == '{') {
    auto jwk = parse_private_jwk(text);
    if (!jwk) return Failure{std::move(jwk.error())};
    return SigningKey{std::move(jwk->key), std::move(jwk->id)};
  }
  auto key = parse_pem(text, passphrase);
  if (!key) return Failure{std::move(key.error())};
  if (!is_known_kind(key->get())) {
    return Failure{
        "is a key of a kind that JWS does not sign with; RSA, P-256, P-384, P-521, Ed25519 and Ed448 do"};
  }
  return SigningKey{*std::move(key), {}};
}

SigningKey SigningKey::generate(SigningAlgorithm algorithm) {
  const Rule& rule = rule_of(algorithm);
  EVP_PKEY* key = nullptr;
  switch (rule.kind) {
    case Kind::rsa:
    case Kind::pss:
      key = EVP_RSA_gen(static_cast<unsigned int>(least_rsa_bits));
      break;
    case Kind::ec:
      key = EVP_EC_gen(rule.bits == 256 ? "P-256" : rule.bits == 384 ? "P-384" : "P-521");
      break;
    case Kind::edwards:
      key = EVP_PKEY_Q_keygen(nullptr, nullptr, "ED25519");
      break;
    case Kind::hmac:
      break;
  }
  if (key == nullptr) cannot("make a key for " + std::string{name(algorithm)});
  return SigningKey{PrivateKey{key}, {}};
}

SigningAlgorithm SigningKey::natural_algorithm() const {
  const int id = EVP_PKEY_get_base_id(handle());
  if (is_edwards(id)) return SigningAlgorithm::EdDSA;
  if (id == EVP_PKEY_RSA_PSS) return SigningAlgorithm::PS256;
  if (id != EVP_PKEY_EC) return SigningAlgorithm::RS256;
  const int bits = EVP_PKEY_get_bits(handle());
  return bits == 256   ? SigningAlgorithm::ES256
         : bits == 384 ? SigningAlgorithm::ES384
                       : SigningAlgorithm::ES512;
}

std::expected<void, std::string> SigningKey::suits(SigningAlgorithm algorithm) const {
  const Rule& rule = rule_of(algorithm);
  const int id = EVP_PKEY_get_base_id(handle());
  const int bits = EVP_PKEY_get_bits(handle());
  const bool rsa = id == EVP_PKEY_RSA || (id == EVP_PKEY_RSA_PSS && rule.kind == Kind::pss);
  const bool kind_fits = (rule.kind == Kind::rsa || rule.kind == Kind::pss) ? rsa
                         : rule.kind == Kind::ec      ? id == EVP_PKEY_EC && bits == rule.bits
                         : rule.kind == Kind::edwards ? is_edwards(id)
                                                      : false;
  if (!kind_fits) {
    return Failure{"is " + std::string{spoken_kind(handle())} + ", which does not sign with " +
                   std::string{name(algorithm)} + "; " + std::string{name(natural_algorithm())} +
                   " would suit it"};
  }
  if (rsa && bits < least_rsa_bits) {
    return Failure{"is an RSA key of " + std::to_string(bits) + " bits; RFC 7518 asks for 2048 or more"};
  }
  // A key may restrict what it signs (RFC 4055 section 3.1), and OpenSSL what it offers.
  try {
    sign(algorithm, "a trial");
  } catch (const std::runtime_error& error) {
    return Failure{"cannot be used with " + std::string{name(algorithm)} + ": " + error.what()};
  }
  return {};
}

std::string SigningKey::public_jwk() const { return daemon::public_jwk(handle()); }

std::string SigningKey::thumbprint() const { return base64url_encode(sha256(public_jwk())); }

common::Secret SigningKey::private_pem() const {
  const MemoryBio bio{BIO_new(BIO_s_secmem())};
  if (!bio || PEM_write_bio_PKCS8PrivateKey(bio.get(), handle(), nullptr, nullptr, 0, nullptr, nullptr) != 1)
    cannot("write a private key");
  char* text = nullptr;
  const long size = BIO_get_mem_data(bio.get(), &text);
  return common::Secret{{text, static_cast<std::size_t>(size)}};
}

std::string SigningKey::sign(SigningAlgorithm algorithm, std::string_view bytes) const {
  const Rule& rule = rule_of(algorithm);
  const DigestContext context{EVP_MD_CTX_new()};
  EVP_PKEY_CTX* options = nullptr;
  const EVP_MD* hash = rule.hash == nullptr ? nullptr : rule.hash();
  if (!context || EVP_DigestSignInit(context.get(), &options, hash, nullptr, handle()) != 1) cannot("sign");
  if (rule.kind == Kind::pss && (EVP_PKEY_CTX_set_rsa_padding(options, RSA_PKCS1_PSS_PADDING) != 1 ||
                                 EVP_PKEY_CTX_set_rsa_pss_saltlen(options, RSA_PSS_SALTLEN_DIGEST) != 1)) {
    cannot("sign with PSS");
  }
  const auto* from = reinterpret_cast<const unsigned char*>(bytes.data());
  std::size_t size = 0;
  if (EVP_DigestSign(context.get(), nullptr, &size, from, bytes.size()) != 1) cannot("sign");
  std::string signature(size, '\0');
  auto* into = reinterpret_cast<unsigned char*>(signature.data());
  if (EVP_DigestSign(context.get(), into, &size, from, bytes.size()) != 1) cannot("sign");
  signature.resize(size);
  return rule.kind == Kind::ec ? side_by_side(signature, rule.bits) : signature;
}

std::string hmac(SigningAlgorithm algorithm, std::string_view secret, std::string_view bytes) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> code{};
  std::size_t size = 0;
  const char* hash = EVP_MD_get0_name(rule_of(algorithm).hash());
  if (EVP_Q_mac(nullptr, "HMAC", nullptr, hash, nullptr, secret.data(), secret.size(),
                reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size(), code.data(), code.size(),
                &size) == nullptr) {
    cannot("compute an HMAC");
  }
  return {reinterpret_cast<const char*>(code.data()), size};
}

std::size_t least_secret(SigningAlgorithm algorithm) {
  return static_cast<std::size_t>(EVP_MD_get_size(rule_of(algorithm).hash()));
}

}  // namespace grantd::daemon
