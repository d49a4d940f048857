// Everything an authorization server answers passes through here once, and every deviation seen in the wild
// has its line: what is a token, what is an error of which kind, and whether asking again may help.
#include "daemon/oauth/token_response.hpp"

#include <strings.h>

#include <algorithm>

#include "common/ascii.hpp"
#include "daemon/crypto/base64url.hpp"
#include "daemon/crypto/digest.hpp"
#include "daemon/oauth/failed_exchange.hpp"
#include "daemon/oauth/json_members.hpp"
#include "daemon/oauth/oauth_text.hpp"
#include "daemon/oauth/token_lifetime.hpp"

namespace grantd::daemon {

namespace {

using std::chrono::seconds;

constexpr std::size_t longest_token = 16384;

bool is_blank(std::string_view body) { return body.find_first_not_of(" \t\r\n") == std::string_view::npos; }

bool is_access_token(std::string_view text) {
  return !text.empty() && text.size() <= longest_token && std::ranges::all_of(text, ascii::is_visible);
}

std::optional<TokenType> token_type_of(const JsonValue& value) {
  using Kind = JsonValue::Kind;
  if (value.kind == Kind::absent || value.kind == Kind::null) return TokenType::bearer;
  if (value.kind != Kind::string) return std::nullopt;
  const std::string text{value.text.reveal()};
  if (::strcasecmp(text.c_str(), "bearer") == 0 && text.size() == 6) return TokenType::bearer;
  if (::strcasecmp(text.c_str(), "dpop") == 0 && text.size() == 4) return TokenType::dpop;
  return std::nullopt;
}

std::string granted_scope(const JsonValue& value, const JudgementContext& context) {
  using Kind = JsonValue::Kind;
  if (value.kind != Kind::string && value.kind != Kind::strings) return context.scope;
  std::string scope = reduce_scope(value.text.reveal(), context.confidential);
  return scope.empty() ? context.scope : scope;
}

seconds lifetime(const JsonValue& expires_in, std::string_view token, const JudgementContext& context) {
  if (const auto told = lifetime_of(expires_in)) return *told;
  if (const auto claimed = lifetime_of_jwt(token, context.now)) return *claimed;
  return std::max(std::chrono::floor<seconds>(context.default_lifetime), seconds{1});
}

Judgement judge_success(const HttpResponse& response, const JudgementContext& context) {
  if (is_blank(response.body.reveal())) {
    return std::unexpected(passing_failure(common::ErrorCode::invalid_token_response, "invalid_response",
                                           "the token endpoint answered with an empty body; look into the "
                                           "authorization server's log",
                                           response, context));
  }
  const auto members = JsonMembers::parse(response.body.reveal(), {"access_token", "token_type", "expires_in",
                                                                   "scope", "error", "error_description"});
  if (!members) {
    return std::unexpected(
        invalid_response("the token endpoint answered with something that is not a JSON object; check that "
                         "token_endpoint is the "
                         "address of a token endpoint"));
  }
  if ((*members)["access_token"].kind == JsonValue::Kind::absent && !members->string("error").empty()) {
    auto failure = invalid_response(
        "the token endpoint answered with an error under the status of a success; oauth_error says which");
    describe_oauth_error(failure.error.error, *members, context);
    return std::unexpected(std::move(failure));
  }
  const std::string_view token = members->string("access_token");
  if (!is_access_token(token)) {
    return std::unexpected(
        invalid_response("the token response has no access_token of 1 to 16384 printable ASCII characters "
                         "without a space; check "
                         "the kind of token that the authorization server issues to this client"));
  }
  const auto type = token_type_of((*members)["token_type"]);
  if (!type) {
    return std::unexpected(invalid_response(
        "the token response has a token_type other than Bearer and DPoP; check the kind of token that the "
        "authorization server issues to this client"));
  }
  return TokenGrant{.access_token = common::Secret{token},
                    .type = *type,
                    .scope = granted_scope((*members)["scope"], context),
                    .version = token_version(token),
                    .lifetime = lifetime((*members)["expires_in"], token, context)};
}

}  // namespace

Judgement judge_token_response(const HttpResponse& response, const JudgementContext& context) {
  const int status = response.status;
  if (status >= 200 && status < 300) return judge_success(response, context);
  if (status == 408 || status == 429 || (status >= 500 && status < 600)) {
    return std::unexpected(passing_failure(common::ErrorCode::authorization_server_unavailable, "http_error",
                                           "the token endpoint answered with status " +
                                               std::to_string(status) +
                                               "; look into the authorization server's state and limits",
                                           response, context));
  }
  if (status >= 400 && status < 500) return std::unexpected(judge_rejection(response, context));
  if (status >= 300 && status < 400) {
    return std::unexpected(invalid_response(
        "the token endpoint answered with a redirect (status " + std::to_string(status) +
        "), which is never followed; set token_endpoint to the address that answers itself"));
  }
  return std::unexpected(
      invalid_response("the token endpoint answered with the status " + std::to_string(status) +
                       ", which is none of a final response; check that token_endpoint is a token endpoint"));
}

std::string token_version(std::string_view access_token) {
  common::Secret text{"grantd token version 1\n"};
  text.append(access_token);
  const Sha256 digest = sha256(text.reveal());
  return base64url_encode(std::span{digest}.first(16));
}

bool is_token_version(std::string_view text) {
  const auto bytes = base64url_decode(text);
  return bytes && bytes->size() == 16;
}

}  // namespace grantd::daemon
