#pragma once

#include <memory>
#include <string>

#include "daemon/crypto/signing_key.hpp"
#include "daemon/oauth/client_authentication.hpp"
#include "daemon/oauth/kept_credential.hpp"
#include "daemon/secrets/secret_source.hpp"

namespace grantd::daemon {

/// Where the parts of a signed assertion are read from; all but the key may be null.
struct SigningSources {
  std::shared_ptr<SecretSource> key;
  std::shared_ptr<SecretSource> passphrase{};
  std::shared_ptr<SecretSource> certificate{};
};

/// An assertion that a private key signs (RFC 7523 section 2.2, OpenID Connect Core section 9).
class PrivateKeyJwt final : public ClientAuthentication {
 public:
  /// `log` outlives this.
  PrivateKeyJwt(std::shared_ptr<const config::ClientSettings> settings, SigningSources sources,
                common::Logger& log);

  common::Result<ClientProof> prove(FormBody& form, const ProofOccasion& occasion) override;
  bool changed() const override;
  std::optional<common::Secret> identity() override;

 private:
  using Text = std::shared_ptr<const common::Secret>;
  struct Loaded {
    SigningKey key;
    config::SigningAlgorithm algorithm;
    std::string header;  // JSON
  };
  common::Result<void> load();
  common::Result<Loaded> read_all() const;
  common::Result<std::string> header_for(const SigningKey& key, config::SigningAlgorithm algorithm,
                                         const Text& certificate) const;

  const std::shared_ptr<const config::ClientSettings> settings_;
  const SigningSources sources_;
  KeptCredential<Loaded> loaded_;
};

}  // namespace grantd::daemon
