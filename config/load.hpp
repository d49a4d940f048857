#pragma once

#include <cstddef>
#include <expected>
#include <filesystem>
#include <string>
#include <vector>

#include "config/accounts.hpp"
#include "config/credential_judge.hpp"
#include "config/settings.hpp"

namespace grantd::config {

inline constexpr const char* default_file = "/etc/grantd/grantd.toml";

/// One thing that is wrong with the configuration, for people. Never holds a configured value that may be
/// secret.
struct ConfigError {
  std::filesystem::path file;
  std::size_t line = 0;    // from 1; 0 where no place in a file is to blame
  std::size_t column = 0;  // from 1
  std::string key;         // dotted path of the offending key, e.g. clients."catalog.client".scope
  std::string message;     // what was expected, and the nearest known key for a misspelt one

  /// "file:line:column: key: message"
  std::string text() const;
};

/// Reads `file` and then `conf.d/*.toml` beside it in name order, and validates the whole. Either every rule
/// of the schema holds, or all errors are reported together. Reads no secret file and asks the system for no
/// account but the group `grantd`, which may decide whether a file may hold an inline secret. Blocking;
/// throws nothing.
std::expected<Settings, std::vector<ConfigError>> load(const std::filesystem::path& file);

/// What is wrong with this machine rather than with the text: secret, key, certificate and CA files that are
/// missing, unreadable or empty, or hold what cannot be used; unset variables, unknown users and groups. An
/// error for `--check`, a warning for a running daemon. `accounts` gets every user and group that is named,
/// and those that it holds already are not asked for. Blocking.
std::vector<ConfigError> check_machine(const Settings& settings, const CredentialJudge& judge,
                                       Accounts& accounts);

}  // namespace grantd::config
