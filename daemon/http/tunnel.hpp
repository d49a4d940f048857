#pragma once

#include <expected>
#include <string>

#include "config/settings.hpp"
#include "daemon/http/timed_socket.hpp"

namespace grantd::daemon {

/// The request that asks an HTTP proxy for a connection to the host of `url` (RFC 9110 section 9.3.6).
std::string tunnel_request(const config::Url& url);

/// Makes a connection to an HTTP proxy one to the host of `url`. Blocking. Error: a sentence.
std::expected<void, std::string> open_tunnel(TimedSocket& socket, const config::Url& url);

}  // namespace grantd::daemon
