#pragma once

#include <memory>

#include "daemon/oauth/client_authentication.hpp"
#include "daemon/secrets/secret_source.hpp"

namespace grantd::daemon {

/// A JWT that somebody else makes and renews, a Kubernetes service account's or a SPIFFE one:
/// `client_assertion_file`.
class ClientAssertionFile final : public ClientAuthentication {
 public:
  ClientAssertionFile(std::shared_ptr<const config::ClientSettings> settings,
                      std::shared_ptr<SecretSource> assertion);

  common::Result<ClientProof> prove(FormBody& form, const ProofOccasion& occasion) override;
  bool changed() const override { return assertion_->changed(); }
  /// The file, not what is in it: that changes without becoming another client.
  std::optional<common::Secret> identity() override;
  /// What is in it: a file of this path on another machine may prove somebody else.
  std::optional<common::Secret> shared_identity() override;

 private:
  const std::shared_ptr<const config::ClientSettings> settings_;
  const std::shared_ptr<SecretSource> assertion_;
};

}  // namespace grantd::daemon
