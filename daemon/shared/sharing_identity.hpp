#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "common/secret.hpp"
#include "config/settings.hpp"
#include "daemon/crypto/sealing_keys.hpp"
#include "daemon/oauth/endpoint_client.hpp"

namespace grantd::daemon {

/// What has to be the same on two machines for them to share tokens, as it is now.
struct SharingIdentity {
  /// Endpoint, client id, how the client proves itself, fixed headers: each with its length.
  common::Secret definition{};
  common::Secret credential{};
  /// Of the DPoP key and the TLS certificate that tokens may be bound to, each empty: none.
  std::string key_thumbprint{};
  std::string certificate_thumbprint{};
  /// What DPoP tokens are bound to here; null: none.
  std::shared_ptr<const DpopKey> dpop_key{};
};

/// Finds out who a definition is. Loop thread only.
class SharingIdentitySource {
 public:
  /// `log` outlives it.
  SharingIdentitySource(std::shared_ptr<const config::ClientSettings> settings,
                        EndpointCredentials credentials, common::Logger& log);
  /// Nothing where a credential cannot be read, and where tokens are bound to a key that no other machine
  /// has.
  std::optional<SharingIdentity> current() const;

 private:
  const std::shared_ptr<const config::ClientSettings> settings_;
  const EndpointCredentials credentials_;
  const std::shared_ptr<SecretSource> certificate_;  // null: none is shown
};

/// The name of a variant's entry under one key: `prefix`, then an HMAC in base64url. Nobody without the key
/// can tell what it stands for.
std::string entry_name(std::string_view prefix, const SealingKey& key, const SharingIdentity& identity,
                       const Variant& variant);
/// Under each of the keys.
std::vector<std::string> entry_names(std::string_view prefix, const SealingKeys& keys,
                                     const SharingIdentity& identity, const Variant& variant);

}  // namespace grantd::daemon
