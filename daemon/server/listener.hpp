#pragma once

#include "common/timer_queue.hpp"
#include "common/unique_fd.hpp"
#include "daemon/server/server_state.hpp"

namespace grantd::daemon {

/// Accepts the connections of one listening socket and makes sessions of them, or refuses them. Loop thread
/// only; owned by the ServerState it belongs to.
class Listener {
 public:
  Listener(ServerState& state, common::UniqueFd listening, Handler& handler, ServerState::Origin origin);

  /// Begins to accept; `state` is the owner of this object.
  void start(const std::shared_ptr<ServerState>& state);

 private:
  enum class Accepted { one, none, out_of_descriptors, failed };
  void accept_waiting();
  void pause();
  Accepted accept_one();
  void serve(common::UniqueFd connection);
  /// Without free descriptors the kernel says so even when nobody waits, so `none` is possible, too.
  Accepted refuse_with_spare();
  void refuse_for_want_of_descriptors(int connection);
  void complain(std::string_view event, std::string_view detail);

  ServerState& state_;
  std::weak_ptr<ServerState> owner_;
  WatchedFd listening_;
  Handler& handler_;
  const ServerState::Origin origin_;
  common::UniqueFd spare_;  // given up for a moment to be able to say 503 when descriptors run out
  common::Timer resume_;
  bool was_away_ = true;  // who is accepted now may have been waiting since before
  std::optional<common::BootTime> complained_;
  std::shared_ptr<bool> alive_ =
      std::make_shared<bool>(true);  // what was posted may run after this object is gone
};

}  // namespace grantd::daemon
