#pragma once

#include <optional>
#include <string>

#include "config/settings.hpp"

namespace grantd::daemon {

/// What keeps the client from proving itself with the keys, secrets and certificates as they are on this machine, for
/// people; nothing where all is well. For `--check`: reads files, sends nothing. Any thread.
std::optional<std::string> check_credentials(const config::ClientSettings& client);

}  // namespace grantd::daemon
