#pragma once

#include <algorithm>
#include <map>
#include <string>

#include "common/clock.hpp"
#include "daemon/cache/token_fetcher.hpp"

namespace grantd::daemon {

/// Tokens that were dropped or rejected here and must not come back from elsewhere while they are valid, by
/// their versions. Pure: `now` is an argument.
class RefusedVersions {
 public:
  void add(const std::string& version, common::BootTime expires, common::BootTime now) {
    std::erase_if(expiries_, [now](const auto& entry) { return entry.second <= now; });
    if (const auto end = ends_.find(version); end != ends_.end()) expires = std::max(expires, end->second);
    if (version.empty() || expires <= now) return;
    auto& until = expiries_[version];
    until = std::max(until, expires);
  }
  /// Of the versions that callers say were refused nothing but these is known, unless a token is seen that
  /// has one.
  void add(const FetchWish& wish, common::BootTime now) {
    if (wish.rejected) add(wish.replaces, wish.expires, now);
    for (const std::string& version : wish.refused) add(version, {}, now);
  }
  /// A token that others have may be valid until then, however short a time whoever gave it said.
  void seen(const std::string& version, common::BootTime ends, common::BootTime now) {
    std::erase_if(ends_, [now](const auto& entry) { return entry.second <= now; });
    ends_[version] = ends;
    if (has(version, now)) add(version, ends, now);
  }
  /// The server itself gave the token once more.
  void forgive(const std::string& version) { expiries_.erase(version); }
  bool has(const std::string& version, common::BootTime now) const {
    const auto found = expiries_.find(version);
    return found != expiries_.end() && now < found->second;
  }

 private:
  std::map<std::string, common::BootTime> expiries_;
  std::map<std::string, common::BootTime> ends_;  // of those that were seen
};

}  // namespace grantd::daemon
