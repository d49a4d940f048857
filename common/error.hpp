#pragma once

#include <chrono>
#include <expected>
#include <optional>
#include <string>
#include <string_view>

namespace grantd::common {

/// Every way a request to the daemon can fail. The names are part of the local API: they stand in problem
/// documents, in the `Grantd-Error` header, in metrics and in `grantd::Error::code()`.
enum class ErrorCode {
  invalid_request,
  access_denied,
  unknown_client,
  unknown_api,
  not_found,
  method_not_allowed,
  request_timeout,
  payload_too_large,
  headers_too_large,
  too_many_requests,
  invalid_configuration,
  internal_error,
  upgrade_not_supported,
  token_request_rejected,
  invalid_token_response,
  api_unreachable,
  authorization_server_unavailable,
  client_unavailable,
  too_many_connections,
  token_request_timeout,
  api_timeout,
};

/// The code as it is written on the wire, e.g. "access_denied".
std::string_view name(ErrorCode code);

/// The HTTP status a local response with this code has.
int http_status(ErrorCode code);

/// RFC 9457 `title`: a short sentence that is the same for every occurrence of the code.
std::string_view title(ErrorCode code);

/// A failure as a value. `detail` is for people: it says what went wrong and what to do, and holds neither a
/// secret nor a token nor anything a remote server sent unquoted.
struct Error {
  ErrorCode code = ErrorCode::internal_error;
  std::string detail{};
  /// RFC 6749 section 5.2 `error` and `error_description` of the authorization server, reduced to the
  /// characters the RFC allows and to a bounded length; empty where there was none.
  std::string oauth_error{};
  std::string oauth_error_description{};
  /// When it is worth trying again; at least one second where present.
  std::optional<std::chrono::seconds> retry_after{};
};

template <class T>
using Result = std::expected<T, Error>;

/// Shorthand for the failing side of a Result.
std::unexpected<Error> fail(ErrorCode code, std::string detail);

}  // namespace grantd::common
