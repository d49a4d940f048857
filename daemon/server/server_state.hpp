#pragma once

#include <sys/types.h>

#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <unordered_set>

#include "daemon/server/input_buffer.hpp"
#include "daemon/server/local_server.hpp"

namespace grantd::daemon {

class HttpSession;

/// What a server's sessions and listeners share. Sessions hold it, so that one which is still suspended
/// somewhere when the server goes finds nothing dangling.
struct ServerState {
  explicit ServerState(LocalServerParts p) : parts(std::move(p)) {}

  enum class Origin { local, metrics };
  /// Counts a connection in, or says that it is one too many.
  bool admit(Origin origin, const PeerIdentity& peer);
  void dismiss(Origin origin, const PeerIdentity& peer);

  LocalServerParts parts;
  std::size_t max_connections = 4096;
  std::size_t max_connections_per_user = 1024;
  std::chrono::milliseconds idle_timeout{60'000};

  bool draining = false;
  bool detached = false;  // the server is gone
  std::unordered_set<HttpSession*> sessions;
  std::size_t refusing = 0;  // sessions that only say 503
  std::move_only_function<void()> on_empty;

  BufferPool buffers;
  bool passing_refused = false;  // as the log knows it
  std::string head_scratch;      // for one synchronous write at a time

  std::optional<common::Timer> drain_deadline;

 private:
  std::size_t local_ = 0;
  std::size_t metrics_ = 0;
  std::unordered_map<uid_t, std::size_t> per_user_;
};

}  // namespace grantd::daemon
