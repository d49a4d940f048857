#include "daemon/crypto/jws.hpp"

#include <span>

#include "daemon/crypto/base64url.hpp"

namespace grantd::daemon {

namespace {

std::string encoded(std::string_view bytes) { return base64url_encode(std::as_bytes(std::span{bytes})); }

std::string signing_input(std::string_view header, std::string_view payload) {
  return encoded(header) + "." + encoded(payload);
}

common::Secret joined(std::string_view input, std::string_view signature) {
  common::Secret text{input};
  text.append(".");
  text.append(encoded(signature));
  return text;
}

}  // namespace

common::Secret signed_jws(std::string_view header, std::string_view payload, const SigningKey& key,
                          config::SigningAlgorithm algorithm) {
  const std::string input = signing_input(header, payload);
  return joined(input, key.sign(algorithm, input));
}

common::Secret signed_jws(std::string_view header, std::string_view payload, const common::Secret& secret,
                          config::SigningAlgorithm algorithm) {
  const std::string input = signing_input(header, payload);
  return joined(input, hmac(algorithm, secret.reveal(), input));
}

}  // namespace grantd::daemon
