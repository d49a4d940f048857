#pragma once

#include <expected>
#include <memory>
#include <optional>
#include <string>

#include "daemon/http/connector.hpp"
#include "daemon/http/timed_socket.hpp"
#include "daemon/http/transport.hpp"

namespace grantd::daemon {

/// The way to a server, one step at a time, for people who want to know how far it goes. Each step blocks, is
/// for a worker's thread, and wants the one before it to have succeeded. What they return is a sentence, also
/// in case of success.
class ConnectionProbe {
 public:
  /// `clock` outlives this.
  ConnectionProbe(config::Url url, TransportOptions options, const common::Clock& clock,
                  common::BootTime deadline)
      : url_(std::move(url)), options_(std::move(options)), clock_(clock), deadline_(deadline) {}

  using Outcome = std::expected<std::string, std::string>;
  /// Of the server, or of the proxy where there is one.
  Outcome look_up();
  Outcome connect();
  /// Where the URL is https: through the proxy if there is one, and the server's certificate.
  Outcome secure();

 private:
  const config::Url& next() const { return options_.proxy ? *options_.proxy : url_; }

  const config::Url url_;
  const TransportOptions options_;
  const common::Clock& clock_;
  const common::BootTime deadline_;
  std::optional<ResolvedHost> host_;
  std::unique_ptr<TimedSocket> socket_;
};

}  // namespace grantd::daemon
