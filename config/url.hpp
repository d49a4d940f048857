#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "config/settings.hpp"
#include "config/table_reader.hpp"

namespace grantd::config {

/// `http://host:port` and nothing else, for `http_proxy`.
Parsed<Url> parse_proxy_url(std::string_view text);

/// `redis://[user@]host:port[/db]`, `rediss://...` or `redis+unix:///path`; user and path may be
/// percent-encoded. A password belongs in a file.
Parsed<RedisServer> parse_redis_url(std::string_view text);

/// An IP address and a port, as in "127.0.0.1:9464" or "[::1]:9464"; the address comes without brackets.
Parsed<std::pair<std::string, std::uint16_t>> parse_listen_address(std::string_view text);

/// A host name or IP address without a port.
Parsed<std::string> parse_host(std::string_view text);

/// An absolute URI without a fragment, as RFC 8707 section 2 wants a resource to be.
Parsed<std::string> parse_resource(std::string_view text);

}  // namespace grantd::config
