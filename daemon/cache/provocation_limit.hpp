#pragma once

#include <sys/types.h>

#include <chrono>
#include <deque>
#include <map>
#include <optional>

#include "common/clock.hpp"

namespace grantd::daemon {

/// How many token requests each user may cause within any minute beyond what the cache itself wants. Pure:
/// `now` is an argument.
class ProvocationLimit {
 public:
  explicit ProvocationLimit(std::size_t per_minute) : per_minute_(per_minute) {}
  void set_limit(std::size_t per_minute) { per_minute_ = per_minute; }

  /// How long `uid` must wait before it may provoke another request; nothing: it may now.
  std::optional<std::chrono::seconds> wait_time(uid_t uid, common::BootTime now);
  /// Counts one.
  void count(uid_t uid, common::BootTime now);

 private:
  void drop_old(common::BootTime now);

  std::size_t per_minute_;
  std::map<uid_t, std::deque<common::BootTime>> recent_;
};

}  // namespace grantd::daemon
