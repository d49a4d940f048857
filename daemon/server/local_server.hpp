#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <vector>

#include "common/log.hpp"
#include "common/unique_fd.hpp"
#include "config/settings.hpp"
#include "daemon/authz/peer_identity.hpp"
#include "daemon/loop/loop.hpp"
#include "daemon/metrics/metrics.hpp"
#include "daemon/server/handler.hpp"

namespace grantd::daemon {

/// What a server works with; all of it outlives the server.
struct LocalServerParts {
  Loop& loop;
  Metrics& metrics;
  common::Logger& log;
  /// Whether the kept connections are for this caller; asked only where a limit was reached.
  std::function<bool(const PeerIdentity&)> is_admin;
};

/// All connections of the daemon: accepts, limits, serves and drains them. Loop thread only. Sessions that
/// are suspended in a handler may outlive it in the loop's hands, but must not be resumed then.
class LocalServer {
 public:
  explicit LocalServer(LocalServerParts parts);
  ~LocalServer();
  LocalServer(const LocalServer&) = delete;
  LocalServer& operator=(const LocalServer&) = delete;

  /// Serves callers of a listening Unix socket with `handler`, which outlives the server.
  void add_local_socket(common::UniqueFd listening, Handler& handler);
  /// Serves a listening TCP socket, at most 16 connections at once.
  void add_metrics_socket(common::UniqueFd listening, Handler& handler);

  /// `max_connections`, `max_connections_per_user` and `idle_timeout`, for new connections and new waits; at
  /// start and at each reload.
  void set_limits(const config::DaemonSettings& settings);

  /// Stops accepting, closes idle connections and lets requests in flight finish; what is left after
  /// `longest` is broken off. Then calls `done` once, from the loop. To be called once.
  void stop(std::chrono::milliseconds longest, std::move_only_function<void()> done);

  /// Connections served at present, the metrics address's included.
  std::size_t connection_count() const;

 private:
  std::shared_ptr<struct ServerState> state_;
  std::vector<std::unique_ptr<class Listener>> listeners_;
};

}  // namespace grantd::daemon
