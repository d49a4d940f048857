// A sliding window rather than a bucket: "30 a minute" then means what it says at every moment.
#include "daemon/cache/provocation_limit.hpp"

#include <algorithm>

namespace grantd::daemon {

namespace {
constexpr std::chrono::minutes window{1};
}

std::optional<std::chrono::seconds> ProvocationLimit::wait_time(uid_t uid, common::BootTime now) {
  if (per_minute_ == 0) return window;
  drop_old(now);
  const auto found = recent_.find(uid);
  if (found == recent_.end() || found->second.size() < per_minute_) return std::nullopt;
  // Free again when so many have left the window that one more fits.
  const auto& times = found->second;
  const auto free_at = times[times.size() - per_minute_] + window;
  return std::max(std::chrono::ceil<std::chrono::seconds>(free_at - now), std::chrono::seconds{1});
}

void ProvocationLimit::count(uid_t uid, common::BootTime now) {
  drop_old(now);
  recent_[uid].push_back(now);
}

void ProvocationLimit::drop_old(common::BootTime now) {
  for (auto user = recent_.begin(); user != recent_.end();) {
    auto& times = user->second;
    while (!times.empty() && times.front() + window <= now) times.pop_front();
    user = times.empty() ? recent_.erase(user) : std::next(user);
  }
}

}  // namespace grantd::daemon
