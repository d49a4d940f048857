#pragma once

#include <functional>
#include <optional>

#include "daemon/http/message.hpp"

namespace grantd::daemon {

/// Why an exchange brought no HTTP response.
struct TransportError {
  enum class Kind {
    unreachable,    // name lookup, connect, TLS, or the connection broke off
    timed_out,      // the deadline passed
    bad_response,   // not HTTP, or head or body over its limit
    misconfigured,  // a TLS file that cannot be used: trying again is of no use before it changes
  };
  Kind kind = Kind::unreachable;
  std::string detail;  // for people: names host and port, never anything of the request's body
};

struct TransportOptions {
  config::Duration connect_timeout{};
  config::TlsSettings tls{};
  /// An HTTP proxy to go through: a tunnel for https (RFC 9110 section 9.3.6), the absolute form for http.
  std::optional<config::Url> proxy{};
  bool operator==(const TransportOptions&) const = default;
};

/// How a definition's authorization server is connected to.
TransportOptions connection_options(const config::ClientSettings& client);

/// Sends one request to an authorization server. The seam where tests put a scripted server.
class Transport {
 public:
  virtual ~Transport() = default;
  using Done = std::move_only_function<void(std::expected<HttpResponse, TransportError>)>;
  /// Loop thread only. `done` is called once, on the loop's thread and never from within `send`, at the
  /// latest shortly after `deadline`, whatever the server and the name server do. Redirects are answers.
  virtual void send(HttpRequest request, TransportOptions options, common::BootTime deadline, Done done) = 0;
};

}  // namespace grantd::daemon
