#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "common/clock.hpp"
#include "config/settings.hpp"
#include "daemon/authz/peer_identity.hpp"

namespace grantd::daemon {

/// Names to ids. Each returns nothing for an unknown name.
struct AccountLookup {
  std::function<std::optional<uid_t>(const std::string&)> user;
  std::function<std::optional<gid_t>(const std::string&)> group;
};
/// The system's databases. Blocking.
AccountLookup system_accounts();

/// Who may use a definition (`allow_users`, `allow_groups`, `allow_units`). A name that is unknown matches
/// nobody and is looked up again at a later use, at most once in a second. Loop thread only.
class AccessPolicy {
 public:
  /// `accounts` is asked on the loop, so it must not block.
  AccessPolicy(const config::AccessSettings& settings, AccountLookup accounts);
  /// A policy for exactly these users (`admin_users`).
  static AccessPolicy for_users(const std::vector<std::string>& users, AccountLookup accounts);

  bool admits(const PeerIdentity& peer, common::BootTime now);

 private:
  struct Unknown {
    bool is_group;
    std::string name;
  };
  void look_up(common::BootTime now);

  bool everybody_ = false;
  AccountLookup accounts_;
  std::vector<uid_t> users_;   // sorted
  std::vector<gid_t> groups_;  // sorted
  std::vector<std::string> units_;
  std::vector<Unknown> unknown_;
  std::optional<common::BootTime> looked_up_;
};

}  // namespace grantd::daemon
