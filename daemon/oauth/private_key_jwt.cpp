// Reading a key costs a thousand times what looking at its file does, so it is kept until one of the files
// changes.
#include "daemon/oauth/private_key_jwt.hpp"

#include <nlohmann/json.hpp>
#include <utility>

#include "daemon/crypto/certificate.hpp"
#include "daemon/crypto/jws.hpp"
#include "daemon/oauth/client_assertion.hpp"

namespace grantd::daemon {

namespace {

std::unexpected<common::Error> unusable(std::string_view what, std::string_view why) {
  return common::fail(common::ErrorCode::client_unavailable, std::string{what}.append(" ").append(why));
}

}  // namespace

PrivateKeyJwt::PrivateKeyJwt(std::shared_ptr<const config::ClientSettings> settings, SigningSources sources,
                             common::Logger& log)
    : settings_(std::move(settings)),
      sources_(std::move(sources)),
      loaded_(settings_->name, "private_key_not_reread", log) {}

common::Result<ClientProof> PrivateKeyJwt::prove(FormBody& form, const ProofOccasion& occasion) {
  if (auto ready = load(); !ready) return std::unexpected(std::move(ready.error()));
  return send_client_assertion(form, settings_->client_id,
                               signed_jws(loaded_->header, assertion_claims(settings_->client_id, occasion),
                                          loaded_->key, loaded_->algorithm));
}

bool PrivateKeyJwt::changed() const {
  return sources_.key->changed() || (sources_.passphrase && sources_.passphrase->changed()) ||
         (sources_.certificate && sources_.certificate->changed());
}

std::optional<common::Secret> PrivateKeyJwt::identity() {
  if (!load()) return std::nullopt;
  return common::Secret{loaded_->key.thumbprint()};
}

common::Result<void> PrivateKeyJwt::load() {
  return loaded_.renew(changed(), [this] { return read_all(); });
}

common::Result<PrivateKeyJwt::Loaded> PrivateKeyJwt::read_all() const {
  Text texts[3];
  SecretSource* const sources[] = {sources_.key.get(), sources_.passphrase.get(), sources_.certificate.get()};
  for (std::size_t i = 0; i < 3; ++i) {
    if (sources[i] == nullptr) continue;
    auto text = sources[i]->read();
    if (!text) return std::unexpected(std::move(text.error()));
    texts[i] = *std::move(text);
  }
  const auto& [key_text, passphrase, certificate] = texts;
  auto key = SigningKey::parse(key_text->reveal(), passphrase ? passphrase->reveal() : std::string_view{});
  if (!key) return unusable("the private key", key.error());
  const auto algorithm = settings_->signing_alg.value_or(key->natural_algorithm());
  if (auto suits = key->suits(algorithm); !suits) return unusable("the private key", suits.error());
  auto header = header_for(*key, algorithm, certificate);
  if (!header) return std::unexpected(std::move(header.error()));
  return Loaded{.key = *std::move(key), .algorithm = algorithm, .header = *std::move(header)};
}

common::Result<std::string> PrivateKeyJwt::header_for(const SigningKey& key,
                                                      config::SigningAlgorithm algorithm,
                                                      const Text& certificate) const {
  nlohmann::json header{{"alg", name(algorithm)}, {"typ", "JWT"}};
  const std::string& id = settings_->private_key_id;
  if (id == "thumbprint") {
    header["kid"] = key.thumbprint();
  } else if (!id.empty() || !key.id().empty()) {
    header["kid"] = id.empty() ? key.id() : id;
  }
  if (certificate) {
    const auto thumbprints = thumbprints_of(certificate->reveal(), key.handle());
    if (!thumbprints) return unusable("certificate_file", thumbprints.error());
    header["x5t"] = thumbprints->sha1;
    header["x5t#S256"] = thumbprints->sha256;
  }
  return header.dump();
}

}  // namespace grantd::daemon
