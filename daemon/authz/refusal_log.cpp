// A caller that is refused in a loop must not fill the log; what is left out is counted and told afterwards.
#include "daemon/authz/refusal_log.hpp"

namespace grantd::daemon {

void RefusalLog::refused(const PeerIdentity& peer, std::string_view what) {
  const auto now = timers_.now();
  if (!minute_ || now - *minute_ >= std::chrono::minutes{1}) {
    if (left_out_ > 0) log_.warning("access_denied_repeatedly", {{"left_out", left_out_}});
    minute_ = now;
    lines_ = left_out_ = 0;
  }
  if (lines_ == most_a_minute) {
    ++left_out_;
    return;
  }
  ++lines_;
  const std::string_view unit = peer.unit.empty() ? std::string_view{"none"} : std::string_view{peer.unit};
  log_.warning("access_denied",
               {{"for", what}, {"uid", peer.uid}, {"gid", peer.gid}, {"pid", peer.pid}, {"unit", unit}});
}

}  // namespace grantd::daemon
