#pragma once

#include <memory>
#include <optional>
#include <string>

#include "daemon/secrets/secret_source.hpp"

namespace grantd::tests {

/// A secret that the test sets, or takes away.
class SettableSecret final : public daemon::SecretSource {
 public:
  SettableSecret() = default;
  explicit SettableSecret(std::string initial) : text(std::move(initial)) {}

  common::Result<std::shared_ptr<const common::Secret>> read() override {
    if (!text) return common::fail(common::ErrorCode::client_unavailable, "scripted");
    return std::make_shared<const common::Secret>(*text);
  }
  bool changed() const override { return is_changed; }

  std::optional<std::string> text = "s3cr3t";
  bool is_changed = false;
};

}  // namespace grantd::tests
