#pragma once

#include <sys/types.h>

#include <map>
#include <optional>
#include <string>

namespace grantd::config {

/// The group's id by the system's databases, nothing where they know no such group. Blocking.
std::optional<gid_t> find_group(const std::string& name);
/// The same for a user.
std::optional<uid_t> find_user(const std::string& name);

/// Ids of users and groups by name; nothing for a name that the system does not know.
struct Accounts {
  std::map<std::string, std::optional<uid_t>> users{};
  std::map<std::string, std::optional<gid_t>> groups{};
};

}  // namespace grantd::config
