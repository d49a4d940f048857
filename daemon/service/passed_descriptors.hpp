#pragma once

#include <expected>
#include <map>
#include <string>
#include <vector>

#include "common/unique_fd.hpp"

namespace grantd::daemon {

/// What the service manager passed at the start (sd_listen_fds(3)).
struct PassedDescriptors {
  /// Listening Unix sockets, made non-blocking.
  std::vector<common::UniqueFd> sockets{};
  /// What an earlier process had put into the manager's descriptor store, by the name it gave.
  std::multimap<std::string, common::UniqueFd> stored{};

  /// The one with this name. None: there is none, or more than one, of which nobody knows which is right.
  common::UniqueFd take_stored(const std::string& name);
};

/// To be called once: what the environment said of them is removed from it. The error is a sentence about a
/// socket that is not one to listen on.
std::expected<PassedDescriptors, std::string> take_passed_descriptors();

}  // namespace grantd::daemon
