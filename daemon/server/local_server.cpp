// Counts and keeps connections; what happens on one is the session's matter. Connections beyond a limit are
// still accepted, so that their callers learn why they are not served instead of waiting in the backlog.
#include "daemon/server/local_server.hpp"

#include "daemon/server/http_session.hpp"
#include "daemon/server/listener.hpp"

namespace grantd::daemon {

namespace {

constexpr std::size_t kept_for_admins = 32;
constexpr std::size_t most_metrics_connections = 16;

}  // namespace

bool ServerState::admit(Origin origin, const PeerIdentity& peer) {
  if (origin == Origin::metrics) {
    if (metrics_ >= most_metrics_connections) {
      parts.metrics.connection_refused();
      return false;
    }
    ++metrics_;
    return true;
  }
  const auto found = per_user_.find(peer.uid);
  const std::size_t of_user = found == per_user_.end() ? 0 : found->second;
  if (local_ >= max_connections || of_user >= max_connections_per_user) {
    const bool kept = local_ < max_connections + kept_for_admins &&
                      of_user < max_connections_per_user + kept_for_admins && parts.is_admin(peer);
    if (!kept) {
      parts.metrics.connection_refused();
      return false;
    }
  }
  ++local_;
  ++per_user_[peer.uid];
  parts.metrics.connection_opened();
  return true;
}

void ServerState::dismiss(Origin origin, const PeerIdentity& peer) {
  if (origin == Origin::metrics) {
    --metrics_;
    return;
  }
  --local_;
  const auto found = per_user_.find(peer.uid);
  if (--found->second == 0) per_user_.erase(found);
  parts.metrics.connection_closed();
}

LocalServer::LocalServer(LocalServerParts parts) : state_(std::make_shared<ServerState>(std::move(parts))) {}

LocalServer::~LocalServer() {
  listeners_.clear();
  state_->drain_deadline.reset();
  state_->on_empty = nullptr;
  state_->detached = true;
  for (HttpSession* session : state_->sessions) session->detach();
}

void LocalServer::add_local_socket(common::UniqueFd listening, Handler& handler) {
  listeners_.push_back(
      std::make_unique<Listener>(*state_, std::move(listening), handler, ServerState::Origin::local));
  listeners_.back()->start(state_);
}

void LocalServer::add_metrics_socket(common::UniqueFd listening, Handler& handler) {
  listeners_.push_back(
      std::make_unique<Listener>(*state_, std::move(listening), handler, ServerState::Origin::metrics));
  listeners_.back()->start(state_);
}

void LocalServer::set_limits(const config::DaemonSettings& settings) {
  state_->max_connections = settings.max_connections;
  state_->max_connections_per_user = settings.max_connections_per_user;
  state_->idle_timeout = settings.idle_timeout;
  state_->parts.metrics.connections_limited_to(settings.max_connections);
}

void LocalServer::stop(std::chrono::milliseconds longest, std::move_only_function<void()> done) {
  state_->draining = true;
  listeners_.clear();
  // Whichever comes first, the last connection's end or the deadline, tells the caller, from the loop.
  auto finish = [state = state_.get(), finished = std::move(done)]() mutable {
    state->drain_deadline->disarm();
    if (finished) state->parts.loop.post(std::exchange(finished, nullptr));
  };
  state_->on_empty = std::move(finish);
  state_->drain_deadline.emplace(state_->parts.loop.timers(), [state = state_.get()] {
    const auto left = std::vector<HttpSession*>(state->sessions.begin(), state->sessions.end());
    for (HttpSession* session : left) session->abort();
    state->on_empty();
  });
  state_->drain_deadline->arm_after(longest);
  const auto open = std::vector<HttpSession*>(state_->sessions.begin(), state_->sessions.end());
  for (HttpSession* session : open) session->drain();
  if (state_->sessions.empty()) state_->on_empty();
}

std::size_t LocalServer::connection_count() const { return state_->sessions.size(); }

}  // namespace grantd::daemon
