#pragma once

#include <cstddef>
#include <string_view>

/// Names that the daemon and its clients must agree on: the local API of the Unix socket.
namespace grantd::local_api {

inline constexpr std::string_view default_socket = "/run/grantd/grantd.sock";
/// Environment variable that names the socket for clients.
inline constexpr const char* socket_variable = "GRANTD_SOCKET";

inline constexpr std::string_view tokens_prefix = "/v1/tokens/";
/// Behind a token's path.
inline constexpr std::string_view page_suffix = "/page";
inline constexpr std::string_view dpop_prefix = "/v1/dpop/";
inline constexpr std::string_view proxy_prefix = "/v1/proxy/";
inline constexpr std::string_view clients_path = "/v1/clients";
inline constexpr std::string_view apis_path = "/v1/apis";
inline constexpr std::string_view reload_path = "/v1/reload";
inline constexpr std::string_view metrics_path = "/metrics";
inline constexpr std::string_view healthz_path = "/healthz";
inline constexpr std::string_view readyz_path = "/readyz";

/// Hosts that mean the local API itself rather than an API definition.
inline constexpr std::string_view localhost = "localhost";
inline constexpr std::string_view own_host = "grantd";

inline constexpr std::string_view problem_content_type = "application/problem+json";
inline constexpr std::string_view problem_type_prefix = "urn:grantd:error:";

/// Every header of this prefix stays between caller and daemon.
inline constexpr std::string_view header_prefix = "Grantd-";
inline constexpr std::string_view scope_header = "Grantd-Scope";
inline constexpr std::string_view resource_header = "Grantd-Resource";
inline constexpr std::string_view audience_header = "Grantd-Audience";
inline constexpr std::string_view parameters_header = "Grantd-Parameters";
inline constexpr std::string_view assertion_header = "Grantd-Assertion";
inline constexpr std::string_view min_valid_header = "Grantd-Min-Valid";
inline constexpr std::string_view rejected_header = "Grantd-Rejected";
inline constexpr std::string_view force_renewal_header = "Grantd-Force-Renewal";
inline constexpr std::string_view error_header = "Grantd-Error";
inline constexpr std::string_view retried_header = "Grantd-Retried";

inline constexpr std::size_t max_request_head = 32 * 1024;
inline constexpr std::size_t max_request_json = 64 * 1024;

}  // namespace grantd::local_api
