#pragma once

#include "daemon/oauth/client_secrets.hpp"

namespace grantd::daemon {

/// An assertion with an HMAC by the client's secret (OpenID Connect Core section 9).
class ClientSecretJwt final : public SecretAuthentication {
 public:
  using SecretAuthentication::SecretAuthentication;
  common::Result<ClientProof> prove(FormBody& form, const ProofOccasion& occasion) override;
};

}  // namespace grantd::daemon
