#pragma once

#include <string_view>

#include "daemon/oauth/client_secrets.hpp"

namespace grantd::daemon {

/// The value of `Authorization` for `client_secret_basic`: id and secret form-encoded before they are joined
/// (RFC 6749 section 2.3.1), or as they are (RFC 2617), which some servers take instead.
common::Secret basic_credentials(std::string_view client_id, const common::Secret& secret,
                                 config::AuthorizationHeaderStyle style);

class ClientSecretBasic final : public SecretAuthentication {
 public:
  using SecretAuthentication::SecretAuthentication;
  common::Result<ClientProof> prove(FormBody& form, const ProofOccasion& occasion) override;
};

}  // namespace grantd::daemon
