#pragma once

#include <optional>
#include <string_view>

#include "common/log.hpp"
#include "common/timer_queue.hpp"
#include "daemon/authz/peer_identity.hpp"

namespace grantd::daemon {

/// A line for each caller that was refused by an access rule, and no more lines than a person can read.
class RefusalLog {
 public:
  RefusalLog(common::TimerQueue& timers, common::Logger& log) : timers_(timers), log_(log) {}
  /// `what` is the definition or the route.
  void refused(const PeerIdentity& peer, std::string_view what);

 private:
  static constexpr int most_a_minute = 60;

  common::TimerQueue& timers_;
  common::Logger& log_;
  std::optional<common::BootTime> minute_;
  int lines_ = 0;
  int left_out_ = 0;
};

}  // namespace grantd::daemon
