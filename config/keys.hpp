#pragma once

#include <string_view>

/// Every name that the schema knows, table by table.
namespace grantd::config {

inline constexpr std::string_view root_keys[] = {"daemon", "defaults", "clients", "apis", "cache"};

inline constexpr std::string_view daemon_keys[] = {
    "socket",       "socket_mode",     "socket_group",
    "log_level",    "max_connections", "max_connections_per_user",
    "idle_timeout", "metrics_listen",  "admin_users"};

inline constexpr std::string_view defaults_keys[] = {"refresh_before_expiry", "default_lifetime",
                                                     "request_timeout", "connect_timeout"};

inline constexpr std::string_view client_keys[] = {"token_endpoint",
                                                   "issuer",
                                                   "client_id",
                                                   "client_secret",
                                                   "client_secret_file",
                                                   "client_secret_credential",
                                                   "client_secret_env",
                                                   "client_secret_next_file",
                                                   "token_endpoint_auth_method",
                                                   "authorization_header_style",
                                                   "private_key_file",
                                                   "private_key_credential",
                                                   "private_key_passphrase_file",
                                                   "private_key_id",
                                                   "signing_alg",
                                                   "certificate_file",
                                                   "assertion_audience",
                                                   "client_assertion_file",
                                                   "scope",
                                                   "resource",
                                                   "audience",
                                                   "parameters",
                                                   "headers",
                                                   "dpop",
                                                   "dpop_key_file",
                                                   "dpop_key_credential",
                                                   "dpop_alg",
                                                   "refresh_before_expiry",
                                                   "default_lifetime",
                                                   "request_timeout",
                                                   "connect_timeout",
                                                   "prefetch",
                                                   "expose_token",
                                                   "allow_users",
                                                   "allow_groups",
                                                   "allow_units",
                                                   "allow_overrides",
                                                   "max_variants",
                                                   "max_provoked_requests",
                                                   "tls_ca_file",
                                                   "tls_cert_file",
                                                   "tls_key_file",
                                                   "http_proxy",
                                                   "allow_insecure_http",
                                                   "allow_endpoint_hosts"};

inline constexpr std::string_view api_keys[] = {
    "client",       "base_url",      "scope",           "resource",        "audience",
    "parameters",   "retry_on_401",  "max_replay_body", "connect_timeout", "response_timeout",
    "idle_timeout", "headers",       "allow_users",     "allow_groups",    "allow_units",
    "tls_ca_file",  "tls_cert_file", "tls_key_file",    "http_proxy",      "allow_insecure_http"};

inline constexpr std::string_view cache_keys[] = {
    "shared", "password_file", "password_credential", "key_file", "key_credential", "prefix", "timeout"};

}  // namespace grantd::config
