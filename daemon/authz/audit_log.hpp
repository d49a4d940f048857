#pragma once

#include <array>
#include <functional>
#include <map>
#include <string_view>

#include "common/log.hpp"
#include "common/timer_queue.hpp"
#include "daemon/authz/peer_identity.hpp"

namespace grantd::daemon {

/// What is written when a token leaves the daemon.
struct HandedOut {
  std::string_view client;
  std::string_view scope;
  std::string_view fingerprint;  // of the token: its version
};

/// A line for each caller that was refused by an access rule and for each that was given a token it did not
/// have before, and no more lines of either kind of one user than a person can read; what is left out is
/// counted and told within a minute. Loop thread only.
class AuditLog {
 public:
  enum class Event { access_denied, token_handed_out };
  friend constexpr std::string_view name(Event event) {
    return event == Event::access_denied ? "access_denied" : "token_handed_out";
  }
  using Counter = std::function<void(Event event, bool written)>;

  /// `timers` and `log` outlive this.
  AuditLog(common::TimerQueue& timers, common::Logger& log, Counter counter);

  /// `what` is the client, API or route, by that key.
  void refused(const PeerIdentity& peer, common::LogField what);
  /// False: left out, so that it is to be told when the token is handed out again, which is then no `first`
  /// time and is not counted.
  bool handed_out(const PeerIdentity& peer, const HandedOut& what, bool first);
  /// Whether a line about what a user was given would be written now.
  bool may_tell(uid_t uid) const;

 private:
  static constexpr int most_a_minute = 60;
  struct OfUser {
    common::BootTime began;
    std::array<int, 2> lines{};  // by event
    int left_out = 0;
    bool has_line(Event event) const { return lines[static_cast<std::size_t>(event)] < most_a_minute; }
  };

  bool may_write(uid_t uid, Event event, bool counts);
  void end_minutes();

  common::TimerQueue& timers_;
  common::Logger& log_;
  Counter counter_;
  std::map<uid_t, OfUser> users_;  // of the last minute
  common::Timer minute_;
};

}  // namespace grantd::daemon
