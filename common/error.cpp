// One table for code, status and title, so that the local API, the metrics and the client library cannot
// drift.
#include "common/error.hpp"

#include <array>
#include <utility>

namespace grantd::common {
namespace {

struct Row {
  ErrorCode code;
  std::string_view name;
  int status;
  std::string_view title;
};

constexpr std::array rows{
    Row{ErrorCode::invalid_request, "invalid_request", 400, "The request is malformed"},
    Row{ErrorCode::access_denied, "access_denied", 403, "The caller may not do this"},
    Row{ErrorCode::unknown_client, "unknown_client", 404, "There is no client definition of this name"},
    Row{ErrorCode::unknown_api, "unknown_api", 404, "There is no API definition of this name"},
    Row{ErrorCode::not_found, "not_found", 404, "There is nothing at this path"},
    Row{ErrorCode::method_not_allowed, "method_not_allowed", 405, "The method is not allowed here"},
    Row{ErrorCode::request_timeout, "request_timeout", 408, "The request did not arrive in time"},
    Row{ErrorCode::payload_too_large, "payload_too_large", 413, "The request body is too large"},
    Row{ErrorCode::headers_too_large, "headers_too_large", 431, "The request head is too large"},
    Row{ErrorCode::too_many_requests, "too_many_requests", 429, "Too many token requests were provoked"},
    Row{ErrorCode::invalid_configuration, "invalid_configuration", 422, "The configuration has errors"},
    Row{ErrorCode::internal_error, "internal_error", 500, "The daemon failed"},
    Row{ErrorCode::upgrade_not_supported, "upgrade_not_supported", 501, "Upgrades are not supported"},
    Row{ErrorCode::token_request_rejected, "token_request_rejected", 502,
        "The authorization server rejected the token request"},
    Row{ErrorCode::invalid_token_response, "invalid_token_response", 502,
        "The authorization server answered with something that is no token"},
    Row{ErrorCode::api_unreachable, "api_unreachable", 502, "The API could not be reached"},
    Row{ErrorCode::authorization_server_unavailable, "authorization_server_unavailable", 503,
        "The authorization server is unavailable"},
    Row{ErrorCode::client_unavailable, "client_unavailable", 503, "The client's credentials cannot be read"},
    Row{ErrorCode::too_many_connections, "too_many_connections", 503, "Too many connections are open"},
    Row{ErrorCode::token_request_timeout, "token_request_timeout", 504, "The token request took too long"},
    Row{ErrorCode::api_timeout, "api_timeout", 504, "The API took too long"},
};

const Row& row_of(ErrorCode code) {
  for (const Row& row : rows) {
    if (row.code == code) return row;
  }
  std::unreachable();
}

}  // namespace

std::string_view name(ErrorCode code) { return row_of(code).name; }

int http_status(ErrorCode code) { return row_of(code).status; }

std::string_view title(ErrorCode code) { return row_of(code).title; }

std::unexpected<Error> fail(ErrorCode code, std::string detail) {
  return std::unexpected(Error{.code = code, .detail = std::move(detail)});
}

}  // namespace grantd::common
