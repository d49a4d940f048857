#pragma once

#include <functional>
#include <optional>
#include <string>

#include "config/settings.hpp"

namespace grantd::config {

/// Judges what credentials hold, which takes cryptography: nothing where all is well, else a sentence. Each
/// may be empty: not judged.
struct CredentialJudge {
  std::function<std::optional<std::string>(const ClientSettings&)> client;
  /// The key that tokens are bound to, where one is configured.
  std::function<std::optional<std::string>(const ClientSettings&)> dpop_key;
  /// What `[cache]` has as its keys.
  std::function<std::optional<std::string>(const CacheSettings&)> cache_key{};
  /// Certificate and key, where both are given.
  std::function<std::optional<std::string>(const TlsSettings&)> certificate;
};

}  // namespace grantd::config
