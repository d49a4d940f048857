// Stricter than a browser on purpose: what two programs could read differently is refused, and nobody gets a
// request to a host that is not plainly written.
#include "config/url.hpp"

#include <arpa/inet.h>

#include <algorithm>
#include <array>
#include <charconv>

#include "common/ascii.hpp"
#include "common/syntax.hpp"
#include "config/values.hpp"

namespace grantd::config {

namespace {

using Failure = std::unexpected<std::string>;

std::string lower(std::string_view text) {
  std::string result{text};
  std::ranges::transform(result, result.begin(), ascii::to_lower);
  return result;
}

bool is_ip_address(const std::string& text, int family) {
  std::array<unsigned char, sizeof(in6_addr)> address{};
  return ::inet_pton(family, text.c_str(), address.data()) == 1;
}

bool is_label(std::string_view label) {
  const auto allowed = [](char c) { return ascii::is_alphanumeric(c) || c == '-' || c == '_'; };
  return !label.empty() && label.size() <= 63 && label.front() != '-' && label.back() != '-' &&
         std::ranges::all_of(label, allowed);
}

bool is_host_name(std::string_view host) {
  if (host.empty() || host.size() > 253) return false;
  std::string_view label;
  for (std::string_view rest = host;;) {
    const auto dot = rest.find('.');
    label = rest.substr(0, dot);
    if (!is_label(label)) return false;
    if (dot == std::string_view::npos) break;
    rest.remove_prefix(dot + 1);
  }
  // A last label that begins with a digit is meant as an address, in whatever notation, and must then be one.
  return !ascii::is_digit(label.front()) || is_ip_address(std::string{host}, AF_INET);
}

struct Authority {
  std::string host{};  // lower case, without brackets
  std::optional<std::uint16_t> port{};
};

constexpr const char* bad_host = "expected a host name, an IPv4 address or an IPv6 address in brackets";

Parsed<std::uint16_t> parse_port(std::string_view text) {
  unsigned port = 0;
  const auto* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, port);
  const bool all_digits = !text.empty() && text.size() <= 5 && std::ranges::all_of(text, ascii::is_digit);
  if (!all_digits || error != std::errc{} || stop != end || port == 0 || port > 65535) {
    return Failure{"expected a port from 1 to 65535"};
  }
  return static_cast<std::uint16_t>(port);
}

Parsed<Authority> parse_authority(std::string_view text) {
  Authority authority;
  std::string_view rest;
  if (text.starts_with('[')) {
    const auto close = text.find(']');
    if (close == std::string_view::npos) return Failure{bad_host};
    authority.host = lower(text.substr(1, close - 1));
    rest = text.substr(close + 1);
    if (!is_ip_address(authority.host, AF_INET6)) return Failure{bad_host};
  } else {
    const auto colon = std::min(text.find(':'), text.size());
    authority.host = lower(text.substr(0, colon));
    rest = text.substr(colon);
    if (!is_host_name(authority.host)) return Failure{bad_host};
  }
  if (rest.empty()) return authority;
  if (rest.front() != ':') return Failure{bad_host};
  const auto port = parse_port(rest.substr(1));
  if (!port) return Failure{port.error()};
  authority.port = *port;
  return authority;
}

// RFC 3986 section 2.1. Nothing: what follows a "%" is no byte, or one that no name has.
std::optional<std::string> percent_decoded(std::string_view text) {
  std::string decoded;
  for (std::size_t i = 0; i < text.size(); ++i) {
    char c = text[i];
    if (c == '%') {
      if (i + 2 >= text.size()) return std::nullopt;
      const int high = ascii::hex_value(text[i + 1]);
      const int low = ascii::hex_value(text[i + 2]);
      if (high < 0 || low < 0 || high * 16 + low == 0) return std::nullopt;
      c = static_cast<char>(high * 16 + low);
      i += 2;
    }
    decoded.push_back(c);
  }
  return decoded;
}

// RFC 3986 section 3.3 and 3.4: pchar, "/" and "?".
bool is_path_or_query(std::string_view text) {
  constexpr std::string_view marks = "-._~!$&'()*+,;=:@/?%";
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (!ascii::is_alphanumeric(c) && marks.find(c) == std::string_view::npos) return false;
    if (c != '%') continue;
    if (i + 2 >= text.size() || ascii::hex_value(text[i + 1]) < 0 || ascii::hex_value(text[i + 2]) < 0)
      return false;
  }
  return true;
}

}  // namespace

Parsed<Url> Url::parse(std::string_view text) {
  if (!std::ranges::all_of(text, ascii::is_visible)) {
    return Failure{"expected a URL of printable ASCII without spaces; anything else is percent-encoded"};
  }
  const auto scheme_end = text.find("://");
  const std::string scheme = scheme_end == std::string_view::npos ? "" : lower(text.substr(0, scheme_end));
  if (scheme != "https" && scheme != "http") {
    return Failure{"expected an absolute URL, such as \"https://auth.example.com/token\""};
  }
  const std::string_view rest = text.substr(scheme_end + 3);
  if (rest.find('#') != std::string_view::npos) return Failure{"expected a URL without a fragment (#)"};
  const auto authority_end = std::min(rest.find_first_of("/?\\"), rest.size());
  const std::string_view authority_text = rest.substr(0, authority_end);
  if (authority_text.find('@') != std::string_view::npos)
    return Failure{"expected a URL without user or password"};
  auto authority = parse_authority(authority_text);
  if (!authority) return Failure{authority.error()};

  const std::string_view tail = rest.substr(authority_end);
  if (!is_path_or_query(tail)) {
    return Failure{"expected a path and query of URL characters; anything else is percent-encoded (%20)"};
  }
  const auto question = std::min(tail.find('?'), tail.size());
  Url url{.text = std::string{text},
          .tls = scheme == "https",
          .host = std::move(authority->host),
          .port = authority->port.value_or(scheme == "https" ? 443 : 80),
          .path = std::string{tail.substr(0, question)},
          .query = std::string{tail.substr(std::min(question + 1, tail.size()))}};
  if (url.path.empty()) url.path.push_back('/');
  return url;
}

Parsed<Url> parse_proxy_url(std::string_view text) {
  constexpr std::string_view scheme = "http://";
  auto url = Url::parse(text);
  if (url && text.starts_with(scheme)) {
    auto authority = text.substr(scheme.size());
    if (authority.ends_with('/')) authority.remove_suffix(1);
    const auto parsed = parse_authority(authority);
    if (parsed && parsed->port) return url;
  }
  return Failure{"expected \"http://host:port\""};
}

Parsed<RedisServer> parse_redis_url(std::string_view text) {
  const Failure failure{
      "expected \"redis://[user@]host:port[/db]\", the same with rediss, or \"redis+unix:///path\"; a "
      "password stands "
      "in password_file"};
  if (!std::ranges::all_of(text, ascii::is_visible)) return failure;
  if (constexpr std::string_view unix = "redis+unix://"; text.starts_with(unix)) {
    const auto path = text.substr(unix.size());
    if (!path.starts_with('/') || path.find_first_of("?#") != std::string_view::npos) return failure;
    const auto decoded = percent_decoded(path);
    if (!decoded || decoded->ends_with('/') || !parse_socket_path(*decoded)) return failure;
    return RedisServer{.socket = *decoded};
  }
  const auto scheme_end = text.find("://");
  if (scheme_end == std::string_view::npos) return failure;
  const auto scheme = text.substr(0, scheme_end);
  if (scheme != "redis" && scheme != "rediss") return failure;
  RedisServer server{.tls = scheme == "rediss"};
  std::string_view rest = text.substr(scheme_end + 3);
  const auto slash = std::min(rest.find('/'), rest.size());
  const auto database = rest.substr(std::min(slash + 1, rest.size()));
  if (database.size() > 4 || !std::ranges::all_of(database, ascii::is_digit)) return failure;
  std::from_chars(database.data(), database.data() + database.size(), server.database);
  rest = rest.substr(0, slash);
  if (const auto at = rest.find('@'); at != std::string_view::npos) {
    const auto user = rest.substr(0, at);
    auto decoded = percent_decoded(user);
    if (!decoded || user.empty() || user.find(':') != std::string_view::npos) return failure;
    server.user = *std::move(decoded);
    rest.remove_prefix(at + 1);
  }
  auto authority = parse_authority(rest);
  if (!authority || !authority->port) return failure;
  server.host = std::move(authority->host);
  server.port = *authority->port;
  return server;
}

Parsed<std::pair<std::string, std::uint16_t>> parse_listen_address(std::string_view text) {
  auto authority = parse_authority(text);
  if (authority && authority->port &&
      (is_ip_address(authority->host, AF_INET) || is_ip_address(authority->host, AF_INET6))) {
    return std::pair{std::move(authority->host), *authority->port};
  }
  return Failure{"expected an IP address and a port, such as \"127.0.0.1:9464\" or \"[::1]:9464\""};
}

Parsed<std::string> parse_host(std::string_view text) {
  auto authority = parse_authority(text);
  if (authority && !authority->port) return std::move(authority->host);
  return Failure{bad_host};
}

Parsed<std::string> parse_resource(std::string_view text) {
  if (syntax::is_absolute_uri(text)) {
    return std::string{text};
  }
  return Failure{
      "expected an absolute URI without a fragment (RFC 8707), such as \"https://api.example.com\""};
}

}  // namespace grantd::config
