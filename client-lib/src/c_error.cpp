#include "client-lib/src/c_error.hpp"

#include <algorithm>
#include <array>
#include <new>
#include <string>
#include <string_view>
#include <utility>

namespace grantd::detail {
namespace {

constexpr std::array<std::pair<grantd_status, const char*>, 26> names{{
    {GRANTD_OK, "ok"},
    {GRANTD_OTHER, "other"},
    {GRANTD_OUT_OF_MEMORY, "out_of_memory"},
    {GRANTD_DAEMON_UNREACHABLE, "daemon_unreachable"},
    {GRANTD_TIMEOUT, "timeout"},
    {GRANTD_INVALID_REQUEST, "invalid_request"},
    {GRANTD_ACCESS_DENIED, "access_denied"},
    {GRANTD_UNKNOWN_CLIENT, "unknown_client"},
    {GRANTD_UNKNOWN_API, "unknown_api"},
    {GRANTD_NOT_FOUND, "not_found"},
    {GRANTD_METHOD_NOT_ALLOWED, "method_not_allowed"},
    {GRANTD_REQUEST_TIMEOUT, "request_timeout"},
    {GRANTD_PAYLOAD_TOO_LARGE, "payload_too_large"},
    {GRANTD_HEADERS_TOO_LARGE, "headers_too_large"},
    {GRANTD_TOO_MANY_REQUESTS, "too_many_requests"},
    {GRANTD_INTERNAL_ERROR, "internal_error"},
    {GRANTD_UPGRADE_NOT_SUPPORTED, "upgrade_not_supported"},
    {GRANTD_TOKEN_REQUEST_REJECTED, "token_request_rejected"},
    {GRANTD_INVALID_TOKEN_RESPONSE, "invalid_token_response"},
    {GRANTD_API_UNREACHABLE, "api_unreachable"},
    {GRANTD_AUTHORIZATION_SERVER_UNAVAILABLE, "authorization_server_unavailable"},
    {GRANTD_CLIENT_UNAVAILABLE, "client_unavailable"},
    {GRANTD_TOO_MANY_CONNECTIONS, "too_many_connections"},
    {GRANTD_TOKEN_REQUEST_TIMEOUT, "token_request_timeout"},
    {GRANTD_API_TIMEOUT, "api_timeout"},
    {GRANTD_INVALID_CONFIGURATION, "invalid_configuration"},
}};

grantd_status status_of(std::string_view code) {
  const auto* const found = std::ranges::find(names, code, [](const auto& name) { return name.second; });
  return found == names.end() || found->first == GRANTD_OK ? GRANTD_OTHER : found->first;
}

grantd_status report(grantd_error** out, const Error& error) {
  const grantd_status status = status_of(error.code());
  if (out != nullptr) *out = new (std::nothrow) grantd_error{status, error};
  return status;
}

const char* text(std::string_view of_a_string) { return of_a_string.data(); }

}  // namespace

// What is no Error is a want of memory: nothing of a caller's is called in between.
grantd_status report_failure(grantd_error** error) noexcept {
  try {
    throw;
  } catch (const Error& failure) {
    return report(error, failure);
  } catch (const std::exception&) {
    try {
      return report(error, Error{"out_of_memory", "there is not enough memory"});
    } catch (const std::exception&) {
      return GRANTD_OUT_OF_MEMORY;
    }
  }
}

void require(const void* argument, const char* what) {
  if (argument == nullptr) throw Error("invalid_request", std::string{what} + " is missing");
}

}  // namespace grantd::detail

using grantd::detail::names;
using grantd::detail::text;

const char* grantd_status_name(grantd_status status) {
  const auto* const found = std::ranges::find(names, status, [](const auto& name) { return name.first; });
  return found == names.end() ? "other" : found->second;
}

// What an Error gives are strings that end with NUL.
grantd_status grantd_error_status(const grantd_error* error) { return error->status; }
const char* grantd_error_code(const grantd_error* error) { return text(error->error.code()); }
const char* grantd_error_message(const grantd_error* error) { return error->error.what(); }
int grantd_error_http_status(const grantd_error* error) { return error->error.http_status(); }
const char* grantd_error_oauth_error(const grantd_error* error) { return text(error->error.oauth_error()); }
const char* grantd_error_oauth_error_description(const grantd_error* error) {
  return text(error->error.oauth_error_description());
}
int64_t grantd_error_retry_after(const grantd_error* error) {
  const auto after = error->error.retry_after();
  return after ? after->count() : -1;
}
void grantd_error_free(grantd_error* error) { delete error; }
