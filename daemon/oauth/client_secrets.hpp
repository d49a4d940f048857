#pragma once

#include <cstddef>
#include <memory>

#include "daemon/oauth/client_authentication.hpp"
#include "daemon/secrets/secret_source.hpp"

namespace grantd::daemon {

/// What the methods that use a client's secret have in common: the secret, and the one that is to follow it
/// (`client_secret_next_file`), of which the one that worked last is offered first.
class SecretAuthentication : public ClientAuthentication {
 public:
  /// `next` may be null: none.
  SecretAuthentication(std::shared_ptr<const config::ClientSettings> settings,
                       std::shared_ptr<SecretSource> secret, std::shared_ptr<SecretSource> next);

  bool changed() const override;
  std::size_t alternatives() const override { return next_ ? 2 : 1; }
  void accepted(std::size_t alternative) override;
  std::optional<common::Secret> identity() override;

 protected:
  const config::ClientSettings& settings() const { return *settings_; }
  common::Result<std::shared_ptr<const common::Secret>> secret(std::size_t alternative);

 private:
  const std::shared_ptr<const config::ClientSettings> settings_;
  const std::shared_ptr<SecretSource> secret_;
  const std::shared_ptr<SecretSource> next_;
  bool next_is_first_ = false;
};

}  // namespace grantd::daemon
