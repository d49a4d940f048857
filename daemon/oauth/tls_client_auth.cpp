#include "daemon/oauth/tls_client_auth.hpp"

#include <utility>

namespace grantd::daemon {

TlsClientAuth::TlsClientAuth(std::shared_ptr<const config::ClientSettings> settings,
                             std::shared_ptr<SecretSource> certificate, std::shared_ptr<SecretSource> key)
    : settings_(std::move(settings)), certificate_(std::move(certificate)), key_(std::move(key)) {}

common::Result<ClientProof> TlsClientAuth::prove(FormBody& form, const ProofOccasion& /*occasion*/) {
  for (SecretSource* source : {certificate_.get(), key_.get()}) {
    if (const auto text = source->read(); !text) return std::unexpected(text.error());
  }
  form.add("client_id", settings_->client_id);
  return ClientProof{};
}

std::optional<common::Secret> TlsClientAuth::identity() {
  const auto certificate = certificate_->read();
  if (!certificate) return std::nullopt;
  return (*certificate)->clone();
}

}  // namespace grantd::daemon
