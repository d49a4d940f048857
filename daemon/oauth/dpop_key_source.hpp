#pragma once

#include <memory>
#include <optional>
#include <string>

#include "common/error.hpp"
#include "daemon/oauth/dpop_proof.hpp"
#include "daemon/oauth/kept_credential.hpp"
#include "daemon/secrets/secret_source.hpp"

namespace grantd::daemon {

/// The key that a definition's next token is bound to: the configured one as it is now, or one made here.
/// Loop thread only.
class DpopKeySource {
 public:
  /// For a definition with `dpop`. `made_before` is used where one would be made here. `log` outlives this.
  DpopKeySource(std::shared_ptr<const config::ClientSettings> settings, common::Logger& log,
                std::shared_ptr<const DpopKey> made_before = nullptr);

  /// Of a key that is made here.
  static config::SigningAlgorithm algorithm_of_made(const config::ClientSettings& settings) {
    return settings.dpop_alg.value_or(config::SigningAlgorithm::ES256);
  }
  /// Null where the configuration names a key, or none could be made.
  std::shared_ptr<const DpopKey> made() const { return !file_ && made_ ? *made_ : nullptr; }

  /// Error: `client_unavailable`, which key to mend.
  common::Result<std::shared_ptr<const DpopKey>> current();
  /// Whether the next token would be bound to another key than the last.
  bool changed() const { return file_ && file_->changed(); }
  /// The same for a configured key that is the same, nothing where it cannot be read; empty for one made
  /// here, which lives as long as its source.
  std::optional<std::string> identity();

 private:
  using Key = std::shared_ptr<const DpopKey>;
  common::Result<Key> read() const;

  const std::shared_ptr<const config::ClientSettings> settings_;
  const std::shared_ptr<SecretSource> file_;  // null: the key is `made_`
  const common::Result<Key> made_;
  KeptCredential<Key> read_;
};

}  // namespace grantd::daemon
