#pragma once

#include <memory>
#include <optional>
#include <string>
#include <unordered_set>
#include <vector>

#include "common/log.hpp"
#include "config/settings.hpp"
#include "daemon/crypto/tls_context.hpp"
#include "daemon/proxy/resolver.hpp"
#include "daemon/proxy/upstream_connection.hpp"

namespace grantd::daemon {

/// The connections to one API as its definition stands: those in use and those kept for the next request. How
/// many are kept does not depend on the number of callers. Loop thread only; held by a shared_ptr.
class UpstreamPool : public std::enable_shared_from_this<UpstreamPool> {
 public:
  static constexpr std::size_t max_idle = 256;
  static constexpr std::chrono::seconds idle_time{30};
  /// So that a name that has moved, or a certificate that was replaced, is noticed under steady traffic, too.
  static constexpr std::chrono::minutes greatest_age{5};

  UpstreamPool(std::shared_ptr<const config::ApiSettings> settings, Loop& loop, Workers& workers,
               common::Logger& log);
  ~UpstreamPool();

  const std::shared_ptr<const config::ApiSettings>& settings() const { return settings_; }

  using Connection = std::shared_ptr<UpstreamConnection>;
  /// How certain it is that a kept connection still stands: as far as the kernel has told of its connections
  /// by itself, or by asking it now.
  enum class Certainty { told, asked };
  /// A kept connection that still stands; null where there is none.
  Connection take_idle(Certainty certainty);
  /// A new one, not connected yet, so that it can be aborted while it is.
  Connection make();
  /// Resolves, connects and secures within `connect_timeout` each for name and connection. Errors:
  /// `api_unreachable`, `api_timeout`.
  awaitable<common::Result<void>> open(Connection connection);
  /// Keeps a connection whose last response is complete, for as long as the API says it will (`Keep-Alive:
  /// timeout=`).
  void put_back(Connection connection, std::optional<std::chrono::seconds> api_keeps);

  /// Told of every request's fate, so that the log has a line when the API fails and one when it is back.
  void report(const common::Error* failure);

  /// Keeps no connections any more; those in use end with their requests.
  void retire();
  /// Aborts everything, for the end of the daemon.
  void shut_down();

  std::size_t idle_count() const { return idle_.size(); }

 private:
  common::Result<void> renew_tls(const config::ApiSettings& settings);
  struct Idle {
    Connection connection;
    common::BootTime until;
  };
  void drop_expired();

  std::shared_ptr<const config::ApiSettings> settings_;
  Loop& loop_;
  common::Logger& log_;
  Resolver resolver_;
  std::shared_ptr<TlsContext> tls_;  // made at first use, and when its files change
  std::string tls_files_;            // what they were then
  std::vector<Idle> idle_;           // the last used last
  std::unordered_set<UpstreamConnection*> alive_;
  std::optional<common::Timer> expiry_;
  bool retired_ = false;
  bool failing_ = false;
};

/// The seconds of a `Keep-Alive: timeout=5, max=100` field; nothing where it does not say.
std::optional<std::chrono::seconds> keep_alive_timeout(std::string_view value);

}  // namespace grantd::daemon
