// Names become numbers at the first use that needs them and stay so, which makes a request cost a search in
// sorted numbers. What is unknown then may come into being later (a package adds its user), hence another
// look now and then.
#include "daemon/authz/access_policy.hpp"

#include <grp.h>
#include <pwd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>

namespace grantd::daemon {

namespace {

constexpr std::chrono::seconds look_up_pause{10};
constexpr std::size_t largest_record = 1 << 20;

template <class Id>
std::optional<Id> decimal_id(const std::string& text) {
  Id id{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), id);
  if (error != std::errc{} || end != text.data() + text.size() || id == static_cast<Id>(-1))
    return std::nullopt;
  return id;
}

// Both records come with their strings in a buffer whose size nobody knows beforehand.
template <class Record, class Id>
std::optional<Id> find_record(const std::string& name,
                              int (*look_up)(const char*, Record*, char*, std::size_t, Record**),
                              Id Record::* id) {
  std::vector<char> buffer(1024);
  while (true) {
    Record record{};
    Record* found = nullptr;
    const int status = look_up(name.c_str(), &record, buffer.data(), buffer.size(), &found);
    if (status == ERANGE && buffer.size() < largest_record) {
      buffer.resize(buffer.size() * 2);
      continue;
    }
    if (found == nullptr) return std::nullopt;
    return found->*id;
  }
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
  if (at == std::string_view::npos || unit.size() <= wanted.size()) return false;
  return unit.starts_with(wanted.substr(0, at + 1)) && unit.ends_with(wanted.substr(at + 1));
}

}  // namespace

AccountLookup system_accounts() {
  return {.user = [](const std::string& name) { return find_record(name, ::getpwnam_r, &passwd::pw_uid); },
          .group = [](const std::string& name) { return find_record(name, ::getgrnam_r, &group::gr_gid); }};
}

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
