#pragma once

#include <chrono>
#include <map>
#include <string>
#include <utility>

#include "common/clock.hpp"
#include "daemon/oauth/token.hpp"

namespace grantd::daemon {

/// When the tokens of variants were dropped here: what was issued before must not come back from elsewhere.
/// Remembered for a day. Pure: `now` is an argument.
class DroppedVariants {
 public:
  void add(const std::string& client, const Variant& variant, common::BootTime now) {
    std::erase_if(times_, [now](const auto& entry) { return entry.second + std::chrono::hours{24} <= now; });
    times_[{client, variant}] = now;
  }
  /// The server itself gave what is elsewhere.
  void forgive(const std::string& client, const Variant& variant) { times_.erase({client, variant}); }
  bool has(const std::string& client, const Variant& variant, common::BootTime obtained) const {
    const auto found = times_.find({client, variant});
    return found != times_.end() && obtained < found->second;
  }

 private:
  std::map<std::pair<std::string, Variant>, common::BootTime> times_;
};

}  // namespace grantd::daemon
