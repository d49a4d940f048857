#pragma once

#include "daemon/oauth/client_secrets.hpp"

namespace grantd::daemon {

/// Id and secret as members of the form (RFC 6749 section 2.3.1).
class ClientSecretPost final : public SecretAuthentication {
 public:
  using SecretAuthentication::SecretAuthentication;
  common::Result<ClientProof> prove(FormBody& form, const ProofOccasion& occasion) override;
};

}  // namespace grantd::daemon
