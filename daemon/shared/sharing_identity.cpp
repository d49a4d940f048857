// Two machines that differ in anything that makes a token what it is must come to different names. Timing,
// access rules and the ways to the server do not.
#include "daemon/shared/sharing_identity.hpp"

#include <span>

#include "daemon/crypto/base64url.hpp"
#include "daemon/crypto/certificate.hpp"

namespace grantd::daemon {

namespace {

std::string code_of(std::string_view key, std::string_view bytes) {
  return hmac(config::SigningAlgorithm::HS256, key, bytes);
}

// Each part with its length, each list with its count: no two values look alike by where one ends.
class Parts {
 public:
  explicit Parts(common::Secret begin = {}) : text_(std::move(begin)) {}
  Parts& add(std::string_view part) {
    text_.append(std::to_string(part.size()));
    text_.append(":");
    text_.append(part);
    return *this;
  }
  Parts& add(const std::vector<std::string>& list) {
    add(std::to_string(list.size()));
    for (const std::string& item : list) add(item);
    return *this;
  }
  template <class Pairs>
  Parts& add_pairs(const Pairs& pairs) {
    add(std::to_string(pairs.size()));
    for (const auto& [name, value] : pairs) add(name).add(value);
    return *this;
  }
  std::string_view reveal() const { return text_.reveal(); }
  common::Secret take() { return std::move(text_); }

 private:
  common::Secret text_;
};

std::shared_ptr<SecretSource> certificate_of(const config::ClientSettings& settings, common::Logger& log) {
  if (!settings.tls.cert_file) return nullptr;
  return make_secret_source(config::FileSource{.path = *settings.tls.cert_file},
                            {.client = settings.name, .key = "tls_cert"}, log);
}

common::Secret definition_of(const config::ClientSettings& settings) {
  Parts parts;
  parts.add(settings.issuer ? "issuer" : "token_endpoint")
      .add(settings.issuer ? settings.issuer->text : settings.token_endpoint.text)
      .add(settings.client_id)
      .add(settings.client_assertion_file ? "client_assertion_file" : name(settings.auth_method))
      .add(settings.authorization_header_style == config::AuthorizationHeaderStyle::rfc6749 ? "rfc6749"
                                                                                            : "rfc2617")
      .add_pairs(settings.headers);
  return parts.take();
}

}  // namespace

SharingIdentitySource::SharingIdentitySource(std::shared_ptr<const config::ClientSettings> settings,
                                             EndpointCredentials credentials, common::Logger& log)
    : settings_(std::move(settings)),
      credentials_(std::move(credentials)),
      certificate_(certificate_of(*settings_, log)) {}

std::optional<SharingIdentity> SharingIdentitySource::current() const {
  SharingIdentity identity{.definition = definition_of(*settings_)};
  auto credential = credentials_.authentication->shared_identity();
  if (!credential) return std::nullopt;
  identity.credential = *std::move(credential);
  if (credentials_.dpop) {
    if (credentials_.dpop->made()) return std::nullopt;
    auto key = credentials_.dpop->current();
    if (!key) return std::nullopt;
    identity.dpop_key = *std::move(key);
    identity.key_thumbprint = identity.dpop_key->thumbprint();
  }
  if (certificate_) {
    const auto pem = certificate_->read();
    auto thumbprint = pem ? certificate_thumbprint((*pem)->reveal()) : std::nullopt;
    if (!thumbprint) return std::nullopt;
    identity.certificate_thumbprint = *std::move(thumbprint);
  }
  return identity;
}

std::string entry_name(std::string_view prefix, const SealingKey& key, const SharingIdentity& identity,
                       const Variant& variant) {
  const auto name_key = key.name_key.reveal();
  Parts parts;
  parts.add("grantd shared entry 1")
      .add(identity.definition.reveal())
      .add(code_of(name_key, identity.credential.reveal()))
      .add(identity.key_thumbprint)
      .add(identity.certificate_thumbprint)
      .add(variant.scope)
      .add(variant.resource)
      .add(variant.audience)
      .add_pairs(variant.parameters);
  const std::string code = code_of(name_key, parts.reveal());
  return std::string{prefix}.append(base64url_encode(std::as_bytes(std::span{code})));
}

std::vector<std::string> entry_names(std::string_view prefix, const SealingKeys& keys,
                                     const SharingIdentity& identity, const Variant& variant) {
  std::vector<std::string> names;
  for (const SealingKey& key : keys) names.push_back(entry_name(prefix, key, identity, variant));
  return names;
}

}  // namespace grantd::daemon
