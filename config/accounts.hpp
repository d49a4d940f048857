#pragma once

#include <sys/types.h>

#include <optional>
#include <string>

namespace grantd::config {

/// The group's id by the system's databases, nothing where they know no such group. Blocking.
std::optional<gid_t> find_group(const std::string& name);
/// The same for a user.
std::optional<uid_t> find_user(const std::string& name);

}  // namespace grantd::config
