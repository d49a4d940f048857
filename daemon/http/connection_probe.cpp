#include "daemon/http/connection_probe.hpp"

#include <utility>

#include "daemon/http/tunnel.hpp"

namespace grantd::daemon {

ConnectionProbe::Outcome ConnectionProbe::look_up() {
  auto found = ResolvedHost::look_up(next().host, next().port);
  if (!found) return std::unexpected(std::move(found.error()));
  host_ = *std::move(found);
  return next().host + " is " + host_->text();
}

ConnectionProbe::Outcome ConnectionProbe::connect() {
  const std::string where = next().host + " port " + std::to_string(next().port);
  auto connected = connect_to(*host_, where, clock_, options_.connect_timeout, deadline_);
  if (!connected) return std::unexpected(std::move(connected.error()));
  socket_ = std::make_unique<TimedSocket>(std::move(*connected), clock_, deadline_);
  return where + " accepts connections";
}

ConnectionProbe::Outcome ConnectionProbe::secure() {
  auto context = TlsContext::for_client(url_.host, options_.tls);
  if (!context) return std::unexpected(std::move(context.error()));
  if (options_.proxy) {
    if (auto open = open_tunnel(*socket_, url_); !open) return std::unexpected(std::move(open.error()));
  }
  if (auto secured = socket_->secure(**context); !secured)
    return std::unexpected(url_.host + ": " + secured.error());
  return "the certificate of " + url_.host + " is accepted";
}

}  // namespace grantd::daemon
