#pragma once

#include <memory>

#include "daemon/oauth/client_authentication.hpp"
#include "daemon/secrets/secret_source.hpp"

namespace grantd::daemon {

/// `tls_client_auth` and `self_signed_tls_client_auth` (RFC 8705 section 2): the connection proves the
/// client, the form only names it.
class TlsClientAuth final : public ClientAuthentication {
 public:
  TlsClientAuth(std::shared_ptr<const config::ClientSettings> settings,
                std::shared_ptr<SecretSource> certificate, std::shared_ptr<SecretSource> key);

  common::Result<ClientProof> prove(FormBody& form, const ProofOccasion& occasion) override;
  bool changed() const override { return certificate_->changed() || key_->changed(); }
  std::optional<common::Secret> identity() override;

 private:
  const std::shared_ptr<const config::ClientSettings> settings_;
  const std::shared_ptr<SecretSource> certificate_;
  const std::shared_ptr<SecretSource> key_;
};

}  // namespace grantd::daemon
