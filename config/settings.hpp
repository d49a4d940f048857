#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <expected>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "common/log.hpp"
#include "common/secret.hpp"

/// The configuration as validated plain values. Whoever holds a Settings may rely on every rule of the
/// schema: ranges, references and names were checked by `load`.
namespace grantd::config {

using Duration = std::chrono::milliseconds;

/// How a client proves who it is to the token endpoint (RFC 8414 `token_endpoint_auth_methods_supported`).
enum class AuthMethod {
  client_secret_basic,
  client_secret_post,
  client_secret_jwt,
  private_key_jwt,
  tls_client_auth,
  self_signed_tls_client_auth,
};

/// The registered name.
constexpr std::string_view name(AuthMethod method) {
  constexpr std::string_view names[] = {"client_secret_basic", "client_secret_post",
                                        "client_secret_jwt",   "private_key_jwt",
                                        "tls_client_auth",     "self_signed_tls_client_auth"};
  return names[static_cast<std::size_t>(method)];
}

/// JSON Web Signature algorithms (RFC 7518 section 3.1, RFC 8037 section 3.1).
enum class SigningAlgorithm {
  RS256,
  RS384,
  RS512,
  PS256,
  PS384,
  PS512,
  ES256,
  ES384,
  ES512,
  EdDSA,
  HS256,
  HS384,
  HS512,
};

/// As it is written in TOML and in `alg`.
constexpr std::string_view name(SigningAlgorithm algorithm) {
  constexpr std::string_view names[] = {"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256",
                                        "ES384", "ES512", "EdDSA", "HS256", "HS384", "HS512"};
  return names[static_cast<std::size_t>(algorithm)];
}

enum class AuthorizationHeaderStyle { rfc6749, rfc2617 };

/// What a caller may set beyond the definition.
enum class Override { scope, resource, audience, parameters, assertion };

/// Where a secret, a key or a certificate is read from.
struct FileSource {
  std::filesystem::path path{};
  bool operator==(const FileSource&) const = default;
};
/// A name below systemd's $CREDENTIALS_DIRECTORY.
struct CredentialSource {
  std::string name;
  bool operator==(const CredentialSource&) const = default;
};
struct EnvironmentSource {
  std::string variable;
  bool operator==(const EnvironmentSource&) const = default;
};
/// Shared, because Settings are copied and secrets are not.
struct InlineSource {
  std::shared_ptr<const common::Secret> value;
  bool operator==(const InlineSource& other) const { return value->reveal() == other.value->reveal(); }
};
using SecretSource = std::variant<FileSource, CredentialSource, EnvironmentSource, InlineSource>;

/// Parts of a URL.
struct Url {
  /// An absolute http or https URL without user and fragment (RFC 3986, RFC 9110 section 4.2); an empty path
  /// becomes "/". Error: what was expected.
  static std::expected<Url, std::string> parse(std::string_view text);

  std::string text;  // as it was written
  bool tls = true;   // https
  std::string host;  // in lower case, without brackets for IPv6
  std::uint16_t port = 443;
  std::string path;   // begins with a slash
  std::string query;  // without the question mark, empty where there is none
  /// `Host` header value: host, bracketed where needed, with the port where it is not the scheme's default.
  std::string authority() const;
  bool operator==(const Url&) const = default;
};

/// The rules of `allow_users`, `allow_groups`: names or decimal ids as configured. Unset admits everybody who
/// can open the socket, an empty list nobody.
struct AccessSettings {
  std::optional<std::vector<std::string>> users;
  std::optional<std::vector<std::string>> groups;
  /// Full names; `x@.service` is every instance.
  std::optional<std::vector<std::string>> units{};
  bool operator==(const AccessSettings&) const = default;
};

struct TlsSettings {
  std::optional<std::filesystem::path> ca_file{};
  /// Both or neither: what this side proves itself with (RFC 8705).
  std::optional<std::filesystem::path> cert_file{};
  std::optional<std::filesystem::path> key_file{};
  bool operator==(const TlsSettings&) const = default;
};

struct ClientSettings {
  std::string name;
  /// Where tokens are asked for; meaningless where there is an issuer, whose document then says it.
  Url token_endpoint;
  std::optional<Url> issuer;
  /// Hosts that the document's endpoints may have besides the issuer's, in lower case.
  std::vector<std::string> allow_endpoint_hosts;
  bool allow_insecure_http = false;
  /// Towards the authorization server.
  std::optional<Url> http_proxy;
  std::string client_id;
  /// What proves the client: exactly what `auth_method` needs is there, or else `client_assertion_file`.
  std::optional<SecretSource> client_secret;
  std::optional<std::filesystem::path> client_secret_next_file;
  std::optional<SecretSource> private_key;
  std::optional<std::filesystem::path> private_key_passphrase_file;
  std::string private_key_id;  // `kid`; empty: the JWK's; "thumbprint": RFC 7638
  std::optional<SigningAlgorithm> signing_alg;
  std::optional<std::filesystem::path> certificate_file;
  std::string assertion_audience;  // empty: the issuer or the token endpoint
  std::optional<std::filesystem::path> client_assertion_file;
  /// Tokens are bound to a key (RFC 9449); without `dpop_key` it is one that grantd makes.
  bool dpop = false;
  std::optional<SecretSource> dpop_key;
  std::optional<SigningAlgorithm> dpop_alg;  // unset: the one of `dpop_key`, else ES256
  AuthMethod auth_method = AuthMethod::client_secret_basic;
  AuthorizationHeaderStyle authorization_header_style = AuthorizationHeaderStyle::rfc6749;

  std::vector<std::string> scope;     // sorted, unique
  std::vector<std::string> resource;  // sorted, unique
  std::string audience;
  std::map<std::string, std::string> parameters;
  std::vector<std::pair<std::string, std::string>> headers;

  Duration refresh_before_expiry = std::chrono::seconds{60};
  Duration default_lifetime = std::chrono::minutes{5};
  Duration request_timeout = std::chrono::seconds{10};
  Duration connect_timeout = std::chrono::seconds{3};
  bool prefetch = false;
  bool expose_token = true;
  AccessSettings access;
  std::vector<Override> allow_overrides;
  std::size_t max_variants = 64;
  std::size_t max_provoked_requests = 30;
  TlsSettings tls;

  bool allows(Override what) const;
};

struct ApiSettings {
  std::string name;
  std::string client;
  Url base_url;  // path without a trailing slash, "" for the root
  /// Unset: the client's.
  std::optional<std::vector<std::string>> scope;     // sorted, unique
  std::optional<std::vector<std::string>> resource;  // sorted, unique
  std::optional<std::string> audience;
  std::optional<std::map<std::string, std::string>> parameters;

  bool retry_on_401 = true;
  std::size_t max_replay_body = std::size_t{1} << 20;
  Duration connect_timeout = std::chrono::seconds{3};
  Duration response_timeout = std::chrono::seconds{30};
  Duration idle_timeout = std::chrono::seconds{60};
  std::vector<std::pair<std::string, std::string>> headers;
  AccessSettings access;
  TlsSettings tls;
  std::optional<Url> http_proxy;
  bool operator==(const ApiSettings&) const = default;
};

struct DaemonSettings {
  std::filesystem::path socket = "/run/grantd/grantd.sock";
  std::uint32_t socket_mode = 0660;
  std::optional<std::string> socket_group;
  common::LogLevel log_level = common::LogLevel::info;
  std::size_t max_connections = 4096;
  std::size_t max_connections_per_user = 1024;
  Duration idle_timeout = std::chrono::seconds{60};
  /// host and port of the TCP address that serves /metrics
  std::optional<std::pair<std::string, std::uint16_t>> metrics_listen;
  std::vector<std::string> admin_users = {"root"};
};

/// A Redis or Valkey server.
struct RedisServer {
  std::filesystem::path socket{};  // empty: `host` and `port` count
  std::string host{};              // in lower case, without brackets for IPv6
  std::uint16_t port = 0;
  bool tls = false;
  std::string user{};  // empty: the default one
  unsigned database = 0;
  bool operator==(const RedisServer&) const = default;
};

/// The cache that several machines share.
struct CacheSettings {
  std::optional<RedisServer> shared{};  // unset: memory only
  std::optional<SecretSource> password{};
  std::optional<SecretSource> key{};  // there wherever `shared` is
  std::string prefix = "grantd:";
  Duration timeout = std::chrono::milliseconds{100};
  bool operator==(const CacheSettings&) const = default;
};

struct Settings {
  DaemonSettings daemon;
  CacheSettings cache;
  std::map<std::string, std::shared_ptr<const ClientSettings>, std::less<>> clients;
  std::map<std::string, std::shared_ptr<const ApiSettings>, std::less<>> apis;
};

}  // namespace grantd::config
