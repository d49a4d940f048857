// One user's loop must neither fill the log nor hide what others do, nor may refusals hide what a user was
// given: so every user has lines of its own for either.
#include "daemon/authz/audit_log.hpp"

#include <utility>

namespace grantd::daemon {
namespace {

constexpr std::chrono::minutes window{1};

std::string_view unit_of(const PeerIdentity& peer) {
  return peer.unit.empty() ? std::string_view{"none"} : std::string_view{peer.unit};
}

}  // namespace

AuditLog::AuditLog(common::TimerQueue& timers, common::Logger& log, Counter counter)
    : timers_(timers), log_(log), counter_(std::move(counter)), minute_(timers, [this] { end_minutes(); }) {}

void AuditLog::refused(const PeerIdentity& peer, common::LogField what) {
  if (!may_write(peer.uid, Event::access_denied, true)) return;
  log_.warning("access_denied",
               {what, {"pid", peer.pid}, {"uid", peer.uid}, {"gid", peer.gid}, {"unit", unit_of(peer)}});
}

bool AuditLog::handed_out(const PeerIdentity& peer, const HandedOut& what, bool first) {
  if (!may_write(peer.uid, Event::token_handed_out, first)) return false;
  log_.info("token_handed_out", {{"client", what.client},
                                 {"pid", peer.pid},
                                 {"uid", peer.uid},
                                 {"unit", unit_of(peer)},
                                 {"scope", what.scope},
                                 {"fingerprint", what.fingerprint}});
  return true;
}

bool AuditLog::may_tell(uid_t uid) const {
  const auto user = users_.find(uid);
  return user == users_.end() || user->second.has_line(Event::token_handed_out);
}

bool AuditLog::may_write(uid_t uid, Event event, bool counts) {
  if (users_.empty()) minute_.arm_after(window);
  OfUser& user = users_.try_emplace(uid, OfUser{.began = timers_.now()}).first->second;
  const bool write = user.has_line(event);
  if (write) ++user.lines[static_cast<std::size_t>(event)];
  if (!counts) return write;
  if (!write) ++user.left_out;
  counter_(event, write);
  return write;
}

void AuditLog::end_minutes() {
  const auto now = timers_.now();
  for (auto it = users_.begin(); it != users_.end();) {
    if (now - it->second.began < window) {
      ++it;
      continue;
    }
    if (it->second.left_out > 0) {
      log_.warning("audit_lines_left_out", {{"uid", it->first}, {"left_out", it->second.left_out}});
    }
    it = users_.erase(it);
  }
  if (users_.empty()) return;
  auto next = users_.begin()->second.began;
  for (const auto& [_, user] : users_) next = std::min(next, user.began);
  minute_.arm(next + window);
}

}  // namespace grantd::daemon
