// OpenSSL knows PEM and not JWK, so the numbers of a JWK are handed to it one by one. It is asked afterwards
// whether they fit together: a key whose halves differ would sign, and every server would refuse what it
// signed.
#include "daemon/crypto/jwk.hpp"

#include <openssl/core_names.h>
#include <openssl/param_build.h>

#include <array>
#include <map>
#include <nlohmann/json.hpp>
#include <span>
#include <vector>

#include "daemon/crypto/base64url.hpp"

namespace grantd::daemon {

namespace {

using nlohmann::json;
using Failure = std::unexpected<std::string>;
using ParameterBuilder = std::unique_ptr<OSSL_PARAM_BLD, FreeWith<&OSSL_PARAM_BLD_free>>;
using Parameters = std::unique_ptr<OSSL_PARAM, FreeWith<&OSSL_PARAM_free>>;

struct Curve {
  std::string_view jwk;
  const char* openssl;
  std::size_t size;  // bytes of a coordinate
};
constexpr Curve curves[] = {{"P-256", "P-256", 32}, {"P-384", "P-384", 48}, {"P-521", "P-521", 66}};

std::string text_member(const json& jwk, const char* name) {
  const auto found = jwk.find(name);
  return found != jwk.end() && found->is_string() ? found->get<std::string>() : std::string{};
}

/// The bytes of a member in base64url; nothing where it is absent or something else.
std::optional<common::Secret> bytes_member(const json& jwk, const char* name) {
  const std::string text = text_member(jwk, name);
  if (text.empty()) return std::nullopt;
  return base64url_decode(text);
}

const unsigned char* data_of(std::string_view bytes) {
  return reinterpret_cast<const unsigned char*>(bytes.data());
}

/// Numbers and texts on their way into a key.
class KeyMaterial {
 public:
  bool number(const char* parameter, const std::optional<common::Secret>& bytes) {
    if (!bytes) return false;
    const auto view = bytes->reveal();
    numbers_.emplace_back(BN_bin2bn(data_of(view), static_cast<int>(view.size()), nullptr));
    return numbers_.back() && OSSL_PARAM_BLD_push_BN(builder_.get(), parameter, numbers_.back().get()) == 1;
  }
  bool text(const char* parameter, const char* value) {
    return OSSL_PARAM_BLD_push_utf8_string(builder_.get(), parameter, value, 0) == 1;
  }
  bool octets(const char* parameter, std::string_view bytes) {
    return OSSL_PARAM_BLD_push_octet_string(builder_.get(), parameter, bytes.data(), bytes.size()) == 1;
  }

  PrivateKey make(const char* type) const {
    const Parameters parameters{OSSL_PARAM_BLD_to_param(builder_.get())};
    const KeyContext context{EVP_PKEY_CTX_new_from_name(nullptr, type, nullptr)};
    EVP_PKEY* key = nullptr;
    if (!parameters || !context || EVP_PKEY_fromdata_init(context.get()) != 1 ||
        EVP_PKEY_fromdata(context.get(), &key, EVP_PKEY_KEYPAIR, parameters.get()) != 1) {
      return nullptr;
    }
    return PrivateKey{key};
  }

 private:
  ParameterBuilder builder_{OSSL_PARAM_BLD_new()};
  std::vector<BigNumber> numbers_;  // the builder only points to them
};

bool halves_match(EVP_PKEY* key) {
  const KeyContext context{EVP_PKEY_CTX_new_from_pkey(nullptr, key, nullptr)};
  return context && EVP_PKEY_pairwise_check(context.get()) == 1;
}

std::expected<PrivateKey, std::string> rsa_key(const json& jwk) {
  KeyMaterial material;
  if (!material.number(OSSL_PKEY_PARAM_RSA_N, bytes_member(jwk, "n")) ||
      !material.number(OSSL_PKEY_PARAM_RSA_E, bytes_member(jwk, "e")) ||
      !material.number(OSSL_PKEY_PARAM_RSA_D, bytes_member(jwk, "d"))) {
    return Failure{"is no private RSA key: a JWK of kty RSA needs n, e and d in base64url"};
  }
  // What makes signing quick: all five or none (RFC 7518 section 6.3.2).
  constexpr std::array<std::pair<const char*, const char*>, 5> quick{
      {{"p", OSSL_PKEY_PARAM_RSA_FACTOR1},
       {"q", OSSL_PKEY_PARAM_RSA_FACTOR2},
       {"dp", OSSL_PKEY_PARAM_RSA_EXPONENT1},
       {"dq", OSSL_PKEY_PARAM_RSA_EXPONENT2},
       {"qi", OSSL_PKEY_PARAM_RSA_COEFFICIENT1}}};
  if (jwk.contains("p")) {
    for (const auto& [member, parameter] : quick) {
      if (!material.number(parameter, bytes_member(jwk, member))) {
        return Failure{"is an RSA key with some of p, q, dp, dq and qi; a JWK has all of them or none"};
      }
    }
  }
  return material.make("RSA");
}

std::expected<PrivateKey, std::string> ec_key(const json& jwk) {
  const std::string name = text_member(jwk, "crv");
  const Curve* curve = std::ranges::find(curves, name, &Curve::jwk);
  if (curve == std::end(curves)) return Failure{"is an EC key on a curve other than P-256, P-384 and P-521"};
  const auto x = bytes_member(jwk, "x"), y = bytes_member(jwk, "y"), d = bytes_member(jwk, "d");
  if (!x || !y || !d || x->size() != curve->size || y->size() != curve->size || d->size() != curve->size) {
    return Failure{
        "is no private EC key: a JWK of kty EC needs x, y and d in base64url, each of the curve's size"};
  }
  const std::string point = std::string{'\x04'}.append(x->reveal()).append(y->reveal());
  KeyMaterial material;
  if (!material.text(OSSL_PKEY_PARAM_GROUP_NAME, curve->openssl) ||
      !material.octets(OSSL_PKEY_PARAM_PUB_KEY, point) || !material.number(OSSL_PKEY_PARAM_PRIV_KEY, d)) {
    return PrivateKey{};
  }
  return material.make("EC");
}

std::expected<PrivateKey, std::string> okp_key(const json& jwk) {
  const std::string curve = text_member(jwk, "crv");
  if (curve != "Ed25519" && curve != "Ed448")
    return Failure{"is an OKP key on a curve other than Ed25519 and Ed448"};
  const auto x = bytes_member(jwk, "x"), d = bytes_member(jwk, "d");
  if (!x || !d) return Failure{"is no private OKP key: a JWK of kty OKP needs x and d in base64url"};
  const auto secret = d->reveal();
  PrivateKey key{
      EVP_PKEY_new_raw_private_key_ex(nullptr, curve.c_str(), nullptr, data_of(secret), secret.size())};
  if (!key) return key;
  std::array<unsigned char, 64> own{};
  std::size_t size = own.size();
  EVP_PKEY_get_raw_public_key(key.get(), own.data(), &size);
  if (x->reveal() != std::string_view{reinterpret_cast<const char*>(own.data()), size}) return PrivateKey{};
  return key;
}

std::expected<PrivateKey, std::string> key_of(const json& jwk) {
  const std::string kind = text_member(jwk, "kty");
  if (kind == "RSA") return rsa_key(jwk);
  if (kind == "EC") return ec_key(jwk);
  if (kind == "OKP") return okp_key(jwk);
  return Failure{"is a JWK of a kty other than RSA, EC and OKP"};
}

std::string encoded(std::span<const unsigned char> bytes) { return base64url_encode(std::as_bytes(bytes)); }

std::string number_of(const EVP_PKEY* key, const char* parameter, std::size_t size = 0) {
  BIGNUM* found = nullptr;
  if (EVP_PKEY_get_bn_param(key, parameter, &found) != 1) return {};
  const BigNumber number{found};
  std::vector<unsigned char> bytes(std::max(size, static_cast<std::size_t>(BN_num_bytes(found))));
  BN_bn2binpad(found, bytes.data(), static_cast<int>(bytes.size()));
  return encoded(bytes);
}

}  // namespace

std::expected<PrivateJwk, std::string> parse_private_jwk(std::string_view text) {
  const json jwk = json::parse(text, nullptr, false);
  if (!jwk.is_object()) return Failure{"is no JWK: it is not one JSON object"};
  auto key = key_of(jwk);
  if (!key) return Failure{std::move(key.error())};
  if (!*key || !halves_match(key->get())) {
    take_openssl_error();
    return Failure{"is a JWK whose members do not make one key"};
  }
  return PrivateJwk{.key = *std::move(key), .id = text_member(jwk, "kid")};
}

std::string public_jwk(const EVP_PKEY* key) {
  switch (EVP_PKEY_get_base_id(key)) {
    case EVP_PKEY_ED25519:
    case EVP_PKEY_ED448: {
      std::array<unsigned char, 64> x{};
      std::size_t size = x.size();
      EVP_PKEY_get_raw_public_key(key, x.data(), &size);
      const std::string curve = EVP_PKEY_get_base_id(key) == EVP_PKEY_ED25519 ? "Ed25519" : "Ed448";
      return R"({"crv":")" + curve + R"(","kty":"OKP","x":")" + encoded(std::span{x}.first(size)) + "\"}";
    }
    case EVP_PKEY_EC: {
      const int bits = EVP_PKEY_get_bits(key);
      const Curve& curve = bits == 256 ? curves[0] : bits == 384 ? curves[1] : curves[2];
      return R"({"crv":")" + std::string{curve.jwk} + R"(","kty":"EC","x":")" +
             number_of(key, OSSL_PKEY_PARAM_EC_PUB_X, curve.size) + R"(","y":")" +
             number_of(key, OSSL_PKEY_PARAM_EC_PUB_Y, curve.size) + "\"}";
    }
    default:
      return R"({"e":")" + number_of(key, OSSL_PKEY_PARAM_RSA_E) + R"(","kty":"RSA","n":")" +
             number_of(key, OSSL_PKEY_PARAM_RSA_N) + "\"}";
  }
}

}  // namespace grantd::daemon
