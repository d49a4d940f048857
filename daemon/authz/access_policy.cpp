// Names become numbers at the first use that needs them and stay so, which makes a request cost a search in
// sorted numbers. What is unknown then may come into being later (a package adds its user), hence another
// look now and then.
#include "daemon/authz/access_policy.hpp"

#include <algorithm>
#include <charconv>

#include "config/accounts.hpp"

namespace grantd::daemon {

namespace {

// A refusal costs no search for every name that is not known.
constexpr std::chrono::seconds look_up_pause{1};

template <class Id>
std::optional<Id> decimal_id(const std::string& text) {
  Id id{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), id);
  if (error != std::errc{} || end != text.data() + text.size() || id == static_cast<Id>(-1))
    return std::nullopt;
  return id;
}

template <class Id>
void insert_sorted(std::vector<Id>& ids, Id id) {
  const auto place = std::ranges::lower_bound(ids, id);
  if (place == ids.end() || *place != id) ids.insert(place, id);
}

/// Whether the configured name `wanted` means `unit`.
bool is_unit(std::string_view wanted, std::string_view unit) {
  if (wanted == unit) return true;
  const auto at = wanted.find("@.");
  const bool is_template = at != std::string_view::npos && wanted.find('.', at + 2) == std::string_view::npos;
  if (!is_template || unit.size() <= wanted.size()) return false;
  return unit.starts_with(wanted.substr(0, at + 1)) && unit.ends_with(wanted.substr(at + 1));
}

}  // namespace

AccountLookup system_accounts() { return {.user = config::find_user, .group = config::find_group}; }

AccessPolicy::AccessPolicy(const config::AccessSettings& settings, AccountLookup accounts)
    : everybody_(!settings.users && !settings.groups && !settings.units),
      accounts_(std::move(accounts)),
      units_(settings.units.value_or(std::vector<std::string>{})) {
  for (const std::string& user : settings.users.value_or(std::vector<std::string>{})) {
    if (const auto id = decimal_id<uid_t>(user)) {
      insert_sorted(users_, *id);
    } else {
      unknown_.push_back({.is_group = false, .name = user});
    }
  }
  for (const std::string& group : settings.groups.value_or(std::vector<std::string>{})) {
    if (const auto id = decimal_id<gid_t>(group)) {
      insert_sorted(groups_, *id);
    } else {
      unknown_.push_back({.is_group = true, .name = group});
    }
  }
}

AccessPolicy AccessPolicy::for_users(const std::vector<std::string>& users, AccountLookup accounts) {
  return {config::AccessSettings{.users = users, .groups = {}}, std::move(accounts)};
}

bool AccessPolicy::admits(const PeerIdentity& peer, common::BootTime now) {
  if (everybody_) return true;
  if (peer.uid == static_cast<uid_t>(-1)) return false;
  const auto matches = [&] {
    return std::ranges::binary_search(users_, peer.uid) || std::ranges::binary_search(groups_, peer.gid) ||
           std::ranges::any_of(peer.groups,
                               [this](gid_t gid) { return std::ranges::binary_search(groups_, gid); }) ||
           std::ranges::any_of(units_, [&](const std::string& unit) { return is_unit(unit, peer.unit); });
  };
  if (matches()) return true;
  if (unknown_.empty() || (looked_up_ && now < *looked_up_ + look_up_pause)) return false;
  look_up(now);
  return matches();
}

void AccessPolicy::look_up(common::BootTime now) {
  looked_up_ = now;
  std::erase_if(unknown_, [this](const Unknown& entry) {
    if (entry.is_group) {
      const auto gid = accounts_.group(entry.name);
      if (gid) insert_sorted(groups_, *gid);
      return gid.has_value();
    }
    const auto uid = accounts_.user(entry.name);
    if (uid) insert_sorted(users_, *uid);
    return uid.has_value();
  });
}

}  // namespace grantd::daemon
