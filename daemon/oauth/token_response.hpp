#pragma once

#include <chrono>
#include <expected>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/http/transport.hpp"
#include "daemon/oauth/token.hpp"

namespace grantd::daemon {

/// What an exchange is judged by beside its outcome.
struct JudgementContext {
  common::WallTime now{};
  config::Duration default_lifetime{};
  /// The scope asked for, which counts where the response names none.
  std::string scope{};
  /// What no message may repeat: the secret or assertion in each form in which it was sent.
  std::vector<std::string_view> confidential{};
};

/// An exchange that brought no token.
struct FailedExchange {
  FetchError error;
  /// Whether another request may bring one.
  bool passing = false;
  /// For metrics: "oauth_error", "http_error", "transport_error", "timeout" or "invalid_response".
  std::string_view result = "invalid_response";
};

using Judgement = std::expected<TokenGrant, FailedExchange>;

/// Judges the response to a token request (RFC 6749 sections 5.1 and 5.2): the status first, then the body.
/// Pure.
Judgement judge_token_response(const HttpResponse& response, const JudgementContext& context);

/// Judges an exchange that brought no response. Pure.
FailedExchange judge_transport_error(const TransportError& error);

/// The deadline passed.
FailedExchange timed_out();

/// The same for the same token string on every machine, and no help in guessing it.
std::string token_version(std::string_view access_token);
/// Whether it has the form of one.
bool is_token_version(std::string_view text);

}  // namespace grantd::daemon
