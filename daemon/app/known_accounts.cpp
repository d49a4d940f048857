// Names are few, and known ones are never asked for again: a configuration is read anew for that.
#include "daemon/app/known_accounts.hpp"

#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>

namespace grantd::daemon {

namespace {

constexpr std::chrono::seconds pause{10};

template <class Id>
void keep_known(std::map<std::string, Id>& known, const std::map<std::string, std::optional<Id>>& found) {
  for (const auto& [name, id] : found) {
    if (id) known.insert_or_assign(name, *id);
  }
}

}  // namespace

struct KnownAccounts::State {
  std::map<std::string, uid_t> users{};
  std::map<std::string, gid_t> groups{};
  std::set<std::string> unknown_users{};
  std::set<std::string> unknown_groups{};
  bool asking = false;
  std::optional<common::BootTime> asked{};

  void learn(const config::Accounts& accounts) {
    keep_known(users, accounts.users);
    keep_known(groups, accounts.groups);
    std::erase_if(unknown_users, [this](const std::string& name) { return users.contains(name); });
    std::erase_if(unknown_groups, [this](const std::string& name) { return groups.contains(name); });
  }
};

KnownAccounts::KnownAccounts(Loop& loop, AccountLookup system)
    : loop_(loop), system_(std::move(system)), state_(std::make_shared<State>()) {}

KnownAccounts::~KnownAccounts() = default;

void KnownAccounts::learn(const config::Accounts& accounts) {
  state_->unknown_users.clear();
  state_->unknown_groups.clear();
  state_->learn(accounts);
}

AccountLookup KnownAccounts::lookup() {
  const auto find = [this](auto& known, auto& unknown, const std::string& name) {
    const auto found = known.find(name);
    if (found != known.end()) return std::optional{found->second};
    unknown.insert(name);
    ask();
    return decltype(std::optional{found->second}){};
  };
  return {
      .user = [this,
               find](const std::string& name) { return find(state_->users, state_->unknown_users, name); },
      .group = [this, find](
                   const std::string& name) { return find(state_->groups, state_->unknown_groups, name); }};
}

void KnownAccounts::ask() {
  const auto now = loop_.timers().now();
  if (state_->asking || (state_->asked && now - *state_->asked < pause)) return;
  state_->asking = true;
  state_->asked = now;
  worker_.run([weak = std::weak_ptr{state_}, &loop = loop_, system = system_, users = state_->unknown_users,
               groups = state_->unknown_groups] {
    config::Accounts found;
    for (const std::string& name : users) found.users.emplace(name, system.user(name));
    for (const std::string& name : groups) found.groups.emplace(name, system.group(name));
    loop.post([weak, found = std::move(found)] {
      const auto state = weak.lock();
      if (!state) return;
      state->asking = false;
      state->learn(found);
    });
  });
}

}  // namespace grantd::daemon
