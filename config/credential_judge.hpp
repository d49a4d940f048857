#pragma once

#include <functional>
#include <optional>
#include <string>

#include "config/settings.hpp"

namespace grantd::config {

/// Judges what credentials hold, which takes cryptography: nothing where all is well, else a sentence. Either may be
/// empty: not judged.
struct CredentialJudge {
  std::function<std::optional<std::string>(const ClientSettings&)> client;
  /// Certificate and key, where both are given.
  std::function<std::optional<std::string>(const TlsSettings&)> certificate;
};

}  // namespace grantd::config
