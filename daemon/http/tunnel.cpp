#include "daemon/http/tunnel.hpp"

#include <array>

#include "daemon/http/response_reader.hpp"

namespace grantd::daemon {

std::string tunnel_request(const config::Url& url) {
  const std::string host = url.host.find(':') == std::string::npos ? url.host : "[" + url.host + "]";
  const std::string target = host + ":" + std::to_string(url.port);
  return "CONNECT " + target + " HTTP/1.1\r\nHost: " + target +
         "\r\nUser-Agent: grantd/" GRANTD_VERSION "\r\n\r\n";
}

// The proxy says nothing after its head before it has heard from this side.
std::expected<void, std::string> open_tunnel(TimedSocket& socket, const config::Url& url) {
  ResponseReader reader{socket, "CONNECT"};
  std::array<char, 1024> unused;
  if (!socket.write(tunnel_request(url)) || reader.read(unused) < 0) {
    return std::unexpected("http_proxy closed the connection" +
                           (reader.complaint().empty() ? "" : ": " + reader.complaint()));
  }
  if (reader.status() / 100 == 2) return {};
  return std::unexpected("http_proxy answered CONNECT with status " + std::to_string(reader.status()));
}

}  // namespace grantd::daemon
