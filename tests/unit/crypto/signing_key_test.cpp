#include "daemon/crypto/signing_key.hpp"

#include <doctest/doctest.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>

#include "daemon/crypto/base64url.hpp"
#include "daemon/crypto/jws.hpp"

using namespace grantd::daemon;
using grantd::common::Secret;
using grantd::config::SigningAlgorithm;

namespace {

constexpr SigningAlgorithm asymmetric[] = {
    SigningAlgorithm::RS256, SigningAlgorithm::RS384, SigningAlgorithm::RS512, SigningAlgorithm::PS256,
    SigningAlgorithm::PS384, SigningAlgorithm::PS512, SigningAlgorithm::ES256, SigningAlgorithm::ES384,
    SigningAlgorithm::ES512, SigningAlgorithm::EdDSA};

// RFC 8037 appendix A.1, RFC 7515 appendix A.3.
constexpr std::string_view ed25519 =
    R"({"kty":"OKP","crv":"Ed25519","d":"nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A",)"
    R"("x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo","kid":"mine"})";
constexpr std::string_view p256 =
    R"({"kty":"EC","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",)"
    R"("y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0","d":"jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI"})";

std::string base64url_of(std::string_view bytes) { return base64url_encode(std::as_bytes(std::span{bytes})); }

std::string pem_of(const SigningKey& key, const char* passphrase = nullptr, bool pkcs8 = true) {
  const MemoryBio bio{BIO_new(BIO_s_mem())};
  auto* phrase = reinterpret_cast<const unsigned char*>(passphrase);
  const int length = passphrase == nullptr ? 0 : static_cast<int>(std::string_view{passphrase}.size());
  const EVP_CIPHER* cipher = passphrase == nullptr ? nullptr : EVP_aes_256_cbc();
  if (pkcs8) {
    PEM_write_bio_PKCS8PrivateKey(bio.get(), key.handle(), cipher, passphrase, length, nullptr, nullptr);
  } else {
    PEM_write_bio_PrivateKey_traditional(bio.get(), key.handle(), cipher, phrase, length, nullptr, nullptr);
  }
  char* text = nullptr;
  const long size = BIO_get_mem_data(bio.get(), &text);
  return {text, static_cast<std::size_t>(size)};
}

bool verifies(const SigningKey& key, SigningAlgorithm algorithm, std::string_view bytes,
              std::string signature) {
  const std::string_view alg = name(algorithm);
  if (alg.starts_with("ES")) {  // back from two numbers to DER
    const std::size_t half = signature.size() / 2;
    const auto* raw = reinterpret_cast<const unsigned char*>(signature.data());
    ECDSA_SIG* pair = ECDSA_SIG_new();
    ECDSA_SIG_set0(pair, BN_bin2bn(raw, static_cast<int>(half), nullptr),
                   BN_bin2bn(raw + half, static_cast<int>(half), nullptr));
    unsigned char* der = nullptr;
    const int size = i2d_ECDSA_SIG(pair, &der);
    signature.assign(reinterpret_cast<const char*>(der), static_cast<std::size_t>(size));
    OPENSSL_free(der);
    ECDSA_SIG_free(pair);
  }
  const EVP_MD* hash =
      alg == "EdDSA" ? nullptr : EVP_get_digestbyname(("SHA" + std::string{alg.substr(2)}).c_str());
  const std::unique_ptr<EVP_MD_CTX, FreeWith<&EVP_MD_CTX_free>> context{EVP_MD_CTX_new()};
  EVP_PKEY_CTX* options = nullptr;
  EVP_DigestVerifyInit(context.get(), &options, hash, nullptr, key.handle());
  if (alg.starts_with("PS")) {
    EVP_PKEY_CTX_set_rsa_padding(options, RSA_PKCS1_PSS_PADDING);
    EVP_PKEY_CTX_set_rsa_pss_saltlen(options, RSA_PSS_SALTLEN_DIGEST);
  }
  return EVP_DigestVerify(context.get(), reinterpret_cast<const unsigned char*>(signature.data()),
                          signature.size(), reinterpret_cast<const unsigned char*>(bytes.data()),
                          bytes.size()) == 1;
}

std::string complaint(std::string_view text, std::string_view passphrase = {}) {
  const auto key = SigningKey::parse(text, passphrase);
  return key ? "" : key.error();
}

bool has(std::string_view text, std::string_view part) { return text.find(part) != std::string_view::npos; }

}  // namespace

TEST_CASE("signing key: every algorithm signs what its public half verifies, in the form of JWS") {
  for (const auto algorithm : asymmetric) {
    CAPTURE(name(algorithm));
    const auto key = SigningKey::generate(algorithm);
    REQUIRE(key.suits(algorithm));
    for (int i = 0; i < 20; ++i) {  // ECDSA's numbers have leading zeros now and then
      const std::string bytes = "message " + std::to_string(i);
      const std::string signature = key.sign(algorithm, bytes);
      CHECK(verifies(key, algorithm, bytes, signature));
      if (name(algorithm) == "ES256") CHECK(signature.size() == 64);
      if (name(algorithm) == "ES384") CHECK(signature.size() == 96);
      if (name(algorithm) == "ES512") CHECK(signature.size() == 132);
      if (name(algorithm).ends_with("S256") && !name(algorithm).starts_with("E")) break;
    }
  }
}

TEST_CASE("signing key: a key in PEM signs whichever way it is written") {
  for (const auto algorithm : {SigningAlgorithm::RS256, SigningAlgorithm::ES384, SigningAlgorithm::EdDSA}) {
    const auto key = SigningKey::generate(algorithm);
    const auto again = SigningKey::parse("\n" + pem_of(key));
    REQUIRE(again);
    CHECK(again->thumbprint() == key.thumbprint());
    CHECK(again->natural_algorithm() == algorithm);
    CHECK(SigningKey::parse(pem_of(key, "open sesame"), "open sesame"));
    CHECK(has(complaint(pem_of(key, "open sesame")), "is encrypted, and there is no passphrase"));
    CHECK(has(complaint(pem_of(key, "open sesame"), "open says me"), "does not open"));
    if (algorithm == SigningAlgorithm::EdDSA) continue;
    CHECK(SigningKey::parse(pem_of(key, nullptr, false)));
    CHECK(SigningKey::parse(pem_of(key, "open sesame", false), "open sesame"));
  }
}

TEST_CASE(
    "signing key: JWKs of RFC 7515 and RFC 8037 are read, and their thumbprints are those of RFC 7638") {
  const auto edwards = SigningKey::parse(ed25519);
  REQUIRE(edwards);
  CHECK(edwards->id() == "mine");
  CHECK(edwards->natural_algorithm() == SigningAlgorithm::EdDSA);
  CHECK(edwards->thumbprint() == "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k");
  CHECK(base64url_of(edwards->sign(SigningAlgorithm::EdDSA,
                                   "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc")) ==
        "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg");
  const auto ec = SigningKey::parse(p256);
  REQUIRE(ec);
  CHECK(ec->natural_algorithm() == SigningAlgorithm::ES256);
  CHECK(ec->public_jwk() == R"({"crv":"P-256","kty":"EC","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",)"
                            R"("y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"})");
}

TEST_CASE("signing key: what is no private key is refused with a reason that quotes nothing of it") {
  CHECK(has(complaint(""), "empty"));
  CHECK(has(complaint("hunter2"), "is no private key in PEM or JWK format"));
  CHECK(has(complaint("{"), "no JWK"));
  CHECK(has(complaint(R"({"kty":"oct","k":"aaaa"})"), "kty"));
  CHECK(has(complaint(R"({"kty":"RSA","n":"AQAB","e":"AQAB"})"), "private RSA"));
  CHECK(has(complaint(R"({"kty":"EC","crv":"secp256k1"})"), "curve"));
  std::string public_only{p256};
  public_only.erase(public_only.find(R"(,"d")"));
  CHECK(has(complaint(public_only + "}"), "private EC"));
  std::string other_half{p256};
  other_half.replace(other_half.find("f83O"), 4, "g83O");
  CHECK(has(complaint(other_half), "do not make one key"));
  std::string other_point{ed25519};
  other_point.replace(other_point.find("11qY"), 4, "21qY");
  CHECK(has(complaint(other_point), "do not make one key"));
}

TEST_CASE("signing key: an algorithm must suit the key's kind, curve and size") {
  const auto rsa = SigningKey::generate(SigningAlgorithm::RS256);
  const auto ec = SigningKey::generate(SigningAlgorithm::ES384);
  CHECK(rsa.suits(SigningAlgorithm::PS512));
  CHECK(has(rsa.suits(SigningAlgorithm::ES256).error(), "an RSA key, which does not sign with ES256"));
  CHECK(has(ec.suits(SigningAlgorithm::ES256).error(), "a key on P-384, which does not sign with ES256"));
  CHECK(has(ec.suits(SigningAlgorithm::EdDSA).error(), "EdDSA; ES384 would suit it"));
  EVP_PKEY* small = EVP_RSA_gen(1024u);
  REQUIRE(small != nullptr);
  const MemoryBio bio{BIO_new(BIO_s_mem())};
  PEM_write_bio_PKCS8PrivateKey(bio.get(), small, nullptr, nullptr, 0, nullptr, nullptr);
  EVP_PKEY_free(small);
  char* text = nullptr;
  const long size = BIO_get_mem_data(bio.get(), &text);
  const auto weak = SigningKey::parse({text, static_cast<std::size_t>(size)});
  REQUIRE(weak);
  CHECK(has(weak->suits(SigningAlgorithm::RS256).error(), "1024 bits"));
}

TEST_CASE("signing key: one that is made for another hash does not suit") {
  const KeyContext context{EVP_PKEY_CTX_new_from_name(nullptr, "RSA-PSS", nullptr)};
  EVP_PKEY_keygen_init(context.get());
  EVP_PKEY_CTX_set_rsa_keygen_bits(context.get(), 2048);
  EVP_PKEY_CTX_set_rsa_pss_keygen_md(context.get(), EVP_sha512());
  EVP_PKEY_CTX_set_rsa_pss_keygen_mgf1_md(context.get(), EVP_sha512());
  EVP_PKEY_CTX_set_rsa_pss_keygen_saltlen(context.get(), 64);
  EVP_PKEY* made = nullptr;
  REQUIRE(EVP_PKEY_generate(context.get(), &made) == 1);
  const PrivateKey key{made};
  const MemoryBio bio{BIO_new(BIO_s_mem())};
  PEM_write_bio_PKCS8PrivateKey(bio.get(), key.get(), nullptr, nullptr, 0, nullptr, nullptr);
  char* text = nullptr;
  const long size = BIO_get_mem_data(bio.get(), &text);
  const auto restricted = SigningKey::parse({text, static_cast<std::size_t>(size)});
  REQUIRE(restricted);
  CHECK(restricted->suits(SigningAlgorithm::PS512));
  CHECK(has(restricted->suits(SigningAlgorithm::PS256).error(), "cannot be used with PS256"));
}

TEST_CASE("jws: the HMAC example of RFC 7515 appendix A.1") {
  const auto secret = base64url_decode(
      "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow");
  REQUIRE(secret);
  const auto jws =
      signed_jws("{\"typ\":\"JWT\",\r\n \"alg\":\"HS256\"}",
                 "{\"iss\":\"joe\",\r\n \"exp\":1300819380,\r\n \"http://example.com/is_root\":true}",
                 *secret, SigningAlgorithm::HS256);
  CHECK(has(jws.reveal(), ".dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"));
}

TEST_CASE("jws: a secret for an HMAC is as long as its hash") {
  CHECK(least_secret(SigningAlgorithm::HS256) == 32);
  CHECK(least_secret(SigningAlgorithm::HS384) == 48);
  CHECK(least_secret(SigningAlgorithm::HS512) == 64);
}
