// A person reads these sentences when nothing works, so each says what to change. They never quote the
// server; its own words travel apart from them, reduced to harmless characters.
#include "daemon/oauth/failed_exchange.hpp"

#include "daemon/oauth/oauth_text.hpp"
#include "daemon/oauth/retry.hpp"

namespace grantd::daemon {

namespace {

using common::ErrorCode;
using std::chrono::seconds;
using Memory = FetchError::Memory;

// A failure is remembered for a second at least: sooner it is of no use to ask.
constexpr seconds soonest{1};

FailedExchange failure(ErrorCode code, Memory memory, std::string_view result, std::string detail) {
  FailedExchange failed{.error = {.error = {.code = code, .detail = std::move(detail)}, .memory = memory},
                        .result = result};
  if (memory != Memory::none) failed.error.error.retry_after = soonest;
  return failed;
}

struct Advice {
  std::string_view error;
  std::string_view text;
};

// RFC 6749 section 5.2 and RFC 8707 section 2.
constexpr Advice advice[] = {
    {"invalid_client",
     "check client_id, the secret, token_endpoint_auth_method and authorization_header_style against the "
     "client's registration"},
    {"unauthorized_client", "allow the client credentials grant in the client's registration"},
    {"unsupported_grant_type", "use an authorization server that offers the client credentials grant"},
    {"invalid_scope", "ask for scopes that the client's registration allows"},
    {"invalid_target", "ask for a resource and audience that the authorization server knows"},
    {"invalid_dpop_proof",
     "check the clock of this machine, dpop_alg and the key that the client is registered with"},
    {"use_dpop_nonce",
     "set dpop = true, or look into the server's log for why it does not take its own nonce"},
    {"invalid_grant", "check the assertion: its audience, its time of expiry and whether it was used before"},
};

std::string_view advice_for(std::string_view error) {
  for (const Advice& one : advice) {
    if (one.error == error) return one.text;
  }
  return "oauth_error says why; check the definition against the client's registration";
}

}  // namespace

FailedExchange invalid_response(std::string detail) {
  return failure(ErrorCode::invalid_token_response, Memory::transient, "invalid_response", std::move(detail));
}

FailedExchange passing_failure(ErrorCode code, std::string_view result, std::string detail,
                               const HttpResponse& response, const JudgementContext& context) {
  FailedExchange failed = failure(code, Memory::transient, result, std::move(detail));
  failed.passing = true;
  if (auto wish = parse_retry_after(response.header("Retry-After"), response.header("Date"), context.now)) {
    failed.error.retry_after = std::max(*wish, soonest);
    failed.error.error.retry_after = failed.error.retry_after;
  }
  return failed;
}

void describe_oauth_error(common::Error& error, const JsonMembers& members, const JudgementContext& context) {
  error.oauth_error = reduce_server_text(members.string("error"), context.confidential);
  error.oauth_error_description =
      reduce_server_text(members.string("error_description"), context.confidential);
}

FailedExchange judge_rejection(const HttpResponse& response, const JudgementContext& context) {
  const std::string status = std::to_string(response.status);
  const auto members = JsonMembers::parse(response.body.reveal(), {"error", "error_description"});
  if (!members || members->string("error").empty()) {
    return failure(
        ErrorCode::token_request_rejected, Memory::variant, "http_error",
        "the token endpoint answered with status " + status +
            " and no OAuth error; check token_endpoint and what stands between it and this machine");
  }
  const std::string_view error = members->string("error");
  const bool of_client = error == "invalid_client" || error == "unauthorized_client";
  FailedExchange failed =
      failure(ErrorCode::token_request_rejected, of_client ? Memory::client : Memory::variant, "oauth_error",
              "the authorization server rejected the token request with status " + status +
                  " and an OAuth error; " + std::string{advice_for(error)});
  describe_oauth_error(failed.error.error, *members, context);
  return failed;
}

FailedExchange judge_transport_error(const TransportError& error) {
  // The transport's own words, but they may name what a certificate or a name server said.
  const std::string why = reduce_server_text(error.detail, {});
  switch (error.kind) {
    case TransportError::Kind::timed_out: {
      FailedExchange failed = timed_out();
      failed.passing = true;
      if (!why.empty()) failed.error.error.detail += ": " + why;
      return failed;
    }
    case TransportError::Kind::bad_response:
      return invalid_response("the token endpoint's response cannot be read: " + why);
    case TransportError::Kind::misconfigured:
      return failure(ErrorCode::client_unavailable, Memory::none, "transport_error",
                     "the definition's connection to the token endpoint cannot be set up: " + why);
    case TransportError::Kind::unreachable:
      break;
  }
  FailedExchange failed = failure(ErrorCode::authorization_server_unavailable, Memory::transient,
                                  "transport_error", "the token endpoint cannot be reached: " + why);
  failed.passing = true;
  return failed;
}

FailedExchange timed_out() {
  return failure(ErrorCode::token_request_timeout, Memory::transient, "timeout",
                 "the authorization server did not answer within request_timeout");
}

}  // namespace grantd::daemon
