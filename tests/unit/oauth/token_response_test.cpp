#include "daemon/oauth/token_response.hpp"

#include <doctest/doctest.h>

#include "tests/unit/oauth/new_year.hpp"

using namespace std::chrono_literals;
using grantd::common::ErrorCode;
using grantd::common::Secret;
using grantd::daemon::FailedExchange;
using grantd::daemon::HttpResponse;
using grantd::daemon::judge_token_response;
using grantd::daemon::judge_transport_error;
using grantd::daemon::Judgement;
using grantd::daemon::JudgementContext;
using grantd::daemon::token_version;
using grantd::daemon::TokenType;
using grantd::daemon::TransportError;
using Memory = grantd::daemon::FetchError::Memory;
using grantd::tests::new_year;

namespace {

using Headers = std::vector<std::pair<std::string, std::string>>;

Judgement judge(int status, std::string_view body, Headers headers = {},
                std::vector<std::string_view> confidential = {}) {
  const HttpResponse response{.status = status, .headers = std::move(headers), .body = Secret{body}};
  return judge_token_response(response, JudgementContext{.now = new_year,
                                                         .default_lifetime = 777s,
                                                         .scope = "a b",
                                                         .confidential = std::move(confidential)});
}

FailedExchange failure(int status, std::string_view body, Headers headers = {},
                       std::vector<std::string_view> confidential = {}) {
  auto judgement = judge(status, body, std::move(headers), std::move(confidential));
  REQUIRE_FALSE(judgement.has_value());
  return std::move(judgement.error());
}

std::string with(std::string_view members) {
  return R"({"access_token":"at","token_type":"Bearer",)" + std::string{members} + "}";
}

/// No token and none to be had by asking again.
void check_invalid(const FailedExchange& failed) {
  CHECK(failed.error.error.code == ErrorCode::invalid_token_response);
  CHECK(failed.error.memory == Memory::transient);
  CHECK_FALSE(failed.passing);
  CHECK(failed.result == "invalid_response");
}

}  // namespace

TEST_CASE("token response: a token, its type, scope, lifetime and version") {
  const auto grant =
      judge(200, R"({"access_token":"at","token_type":"bearer","expires_in":60,"scope":"x y"})");
  REQUIRE(grant.has_value());
  CHECK(grant->access_token.reveal() == "at");
  CHECK(grant->type == TokenType::bearer);
  CHECK(grant->scope == "x y");
  CHECK(grant->lifetime == 60s);
  CHECK(grant->version == token_version("at"));
}

TEST_CASE("token response: the status and media type of a success may be others than RFC 6749 says") {
  CHECK(judge(201, with(R"("expires_in":60)")).has_value());
  CHECK(judge(200, with(R"("expires_in":60)"), {{"Content-Type", "text/html"}}).has_value());
}

TEST_CASE("token version: the same for the same token, another for another, and no part of it") {
  CHECK(token_version("at") == token_version("at"));
  CHECK(token_version("at") != token_version("au"));
  CHECK(token_version("at").size() == 22);
  // The first 16 bytes of SHA-256 over "grantd token version 1\nat".
  CHECK(token_version("at") == "VnCTBcsnF1StETu5VCXB_Q");
}

TEST_CASE("token response: token_type is compared without case, and missing is Bearer") {
  for (const char* type : {"\"Bearer\"", "\"bearer\"", "\"BEARER\"", "null"}) {
    const auto grant = judge(200, R"({"access_token":"at","token_type":)" + std::string{type} + "}");
    REQUIRE_MESSAGE(grant.has_value(), type);
    CHECK(grant->type == TokenType::bearer);
  }
  CHECK(judge(200, R"({"access_token":"at"})")->type == TokenType::bearer);
  CHECK(judge(200, R"({"access_token":"at","token_type":"dpop"})")->type == TokenType::dpop);
}

TEST_CASE("token response: another token_type is an error") {
  for (const char* type : {"\"mac\"", "\"\"", "5", "[\"Bearer\"]", "\"Bearer \"", "\"bearer\\u0000x\""}) {
    check_invalid(failure(200, R"({"access_token":"at","token_type":)" + std::string{type} + "}"));
  }
}

TEST_CASE("token response: an access_token has 1 to 16384 printable characters") {
  const std::string longest(16384, 'x');
  CHECK(judge(200, R"({"access_token":")" + longest + "\"}")->access_token.reveal() == longest);
  CHECK(judge(200, R"({"access_token":"!#$~"})").has_value());
  for (const std::string& token :
       {std::string{"\"\""}, "\"" + longest + "x\"", std::string{"5"}, std::string{"null"},
        std::string{"[\"at\"]"}, std::string{"\"a b\""}, std::string{"\"a\\r\\nX: 1\""},
        std::string{"\"a\\u0000\""}, std::string{"\"a\\u007f\""}, std::string{"\"t\xc3\xb6k\""}}) {
    check_invalid(failure(200, R"({"access_token":)" + token + "}"));
  }
  check_invalid(failure(200, R"({"token_type":"Bearer"})"));
}

TEST_CASE("token response: a lifetime that is not told is the token's own exp, else the default") {
  CHECK(judge(200, R"({"access_token":"at"})")->lifetime == 777s);
  CHECK(judge(200, with(R"("expires_in":null)"))->lifetime == 777s);
  CHECK(judge(200, with(R"("expires_in":"soon")"))->lifetime == 777s);
  CHECK(judge(200, with(R"("expires_in":{})"))->lifetime == 777s);
  // {"exp":1767230600}, 5000 s from now
  const std::string jwt = "e30.eyJleHAiOjE3NjcyMzA2MDB9.c2ln";
  CHECK(judge(200, R"({"access_token":")" + jwt + "\"}")->lifetime == 5000s);
  CHECK(judge(200, R"({"expires_in":60,"access_token":")" + jwt + "\"}")->lifetime == 60s);
}

TEST_CASE("token response: a lifetime of zero or less is kept, one over a year is a year") {
  CHECK(judge(200, with(R"("expires_in":0)"))->lifetime == 0s);
  CHECK(judge(200, with(R"("expires_in":-5)"))->lifetime == -5s);
  CHECK(judge(200, with(R"("expires_in":1e300)"))->lifetime == std::chrono::days{365});
}

TEST_CASE("token response: a default lifetime below a second still lets a token be used") {
  const HttpResponse response{.status = 200, .headers = {}, .body = Secret{R"({"access_token":"at"})"}};
  CHECK(judge_token_response(response, {.now = new_year, .default_lifetime = 250ms})->lifetime == 1s);
}

TEST_CASE("token response: the scope is what the response says, else what was asked for") {
  CHECK(judge(200, with(R"("scope":"narrow")"))->scope == "narrow");
  CHECK(judge(200, with(R"("scope":["x","y"])"))->scope == "x y");
  for (const char* scope : {"null", "\"\"", "\" \"", "5", "{}", "[]", "[1]"}) {
    CHECK_MESSAGE(judge(200, with("\"scope\":" + std::string{scope}))->scope == "a b", scope);
  }
}

TEST_CASE("token response: a scope keeps only the characters of RFC 6749 section 3.3") {
  CHECK(judge(200, with(R"("scope":"  a  b\r\n \"c\\d\" \u00e9 ")"))->scope == "a b cd");
  const auto grant = judge(200, with("\"scope\":\"" + std::string(100'000, 'x') + " y\""));
  CHECK(grant->scope.size() <= 16384);
}

TEST_CASE("token response: what is no JSON object is an error at once") {
  for (const char* body : {"[1]", "\"at\"", "null", "<html>Welcome</html>", R"({"access_token":"x)",
                           "access_token=at&token_type=Bearer", "{\"access_token\":\"\xff\"}"}) {
    check_invalid(failure(200, body));
  }
  check_invalid(failure(200, std::string(200'000, '[')));
  check_invalid(failure(200, R"({"access_token":"at","x":)" + std::string(200'000, '[')));
}

TEST_CASE("token response: an empty success may pass") {
  for (const int status : {200, 204}) {
    for (const char* body : {"", " \r\n"}) {
      const auto failed = failure(status, body);
      CHECK(failed.error.error.code == ErrorCode::invalid_token_response);
      CHECK(failed.error.memory == Memory::transient);
      CHECK(failed.passing);
      CHECK(failed.result == "invalid_response");
    }
  }
}

TEST_CASE("token response: an OAuth error under a success is no token, but says why") {
  const auto failed = failure(200, R"({"error":"invalid_client","error_description":"no"})");
  check_invalid(failed);
  CHECK(failed.error.error.oauth_error == "invalid_client");
  CHECK(failed.error.error.oauth_error_description == "no");
}

TEST_CASE("token response: a redirect is an error that does not say where to") {
  for (const int status : {301, 302, 303, 307, 308}) {
    const auto failed = failure(status, with(R"("expires_in":60)"), {{"Location", "https://evil.example/"}});
    check_invalid(failed);
    CHECK(failed.error.error.detail.find("redirect") != std::string::npos);
    CHECK(failed.error.error.detail.find("evil") == std::string::npos);
  }
}

TEST_CASE("token response: a status that ends nothing is an error") {
  for (const int status : {0, 103, 600, 999, -1}) check_invalid(failure(status, with(R"("expires_in":60)")));
}

TEST_CASE("token response: 408, 429 and 5xx may pass, whatever the body says") {
  for (const int status : {408, 429, 500, 502, 503, 504, 599}) {
    for (const char* body : {"", "<html>", R"({"error":"invalid_client"})", R"({"access_token":"at"})"}) {
      const auto failed = failure(status, body);
      CHECK(failed.error.error.code == ErrorCode::authorization_server_unavailable);
      CHECK(failed.error.error.oauth_error.empty());
      CHECK(failed.error.error.retry_after == 1s);
      CHECK_FALSE(failed.error.retry_after);
      CHECK(failed.error.memory == Memory::transient);
      CHECK(failed.passing);
      CHECK(failed.result == "http_error");
      CHECK(failed.error.error.detail.find(std::to_string(status)) != std::string::npos);
    }
  }
}

TEST_CASE("token response: Retry-After is kept, between a second and five minutes") {
  const auto retry_after = [](std::string value) {
    const auto failed = failure(503, "", {{"Retry-After", std::move(value)}});
    CHECK(failed.error.error.retry_after == failed.error.retry_after);
    return failed.error.retry_after;
  };
  CHECK(retry_after("120") == 120s);
  CHECK(retry_after("1000000") == 300s);
  CHECK(retry_after("0") == 1s);
  CHECK(retry_after("Thu, 01 Jan 2026 00:01:40 GMT") == 100s);
}

TEST_CASE("token response: an OAuth error is a rejection, remembered for the client or for the variant") {
  for (const auto& [error, memory] :
       {std::pair{"invalid_client", Memory::client}, std::pair{"unauthorized_client", Memory::client},
        std::pair{"invalid_scope", Memory::variant}, std::pair{"invalid_request", Memory::variant},
        std::pair{"invalid_target", Memory::variant}, std::pair{"server_has_odd_code", Memory::variant}}) {
    for (const int status : {400, 401, 403}) {
      const auto failed =
          failure(status, R"({"error":")" + std::string{error} + R"(","error_description":"because"})");
      CHECK(failed.error.error.code == ErrorCode::token_request_rejected);
      CHECK(failed.error.error.oauth_error == error);
      CHECK(failed.error.error.oauth_error_description == "because");
      CHECK(failed.error.memory == memory);
      CHECK_FALSE(failed.passing);
      CHECK(failed.result == "oauth_error");
    }
  }
}

TEST_CASE("token response: any other 4xx is a rejection that names the status") {
  for (const int status : {400, 401, 403, 404, 410, 422}) {
    for (const char* body : {"", "<h1>No</h1>", "[]", "{}", R"({"error":5})", R"({"error":""})"}) {
      const auto failed = failure(status, body);
      CHECK(failed.error.error.code == ErrorCode::token_request_rejected);
      CHECK(failed.error.error.detail.find(std::to_string(status)) != std::string::npos);
      CHECK(failed.error.error.detail.find("No") == std::string::npos);
      CHECK(failed.error.error.oauth_error.empty());
      CHECK(failed.error.memory == Memory::variant);
      CHECK_FALSE(failed.passing);
      CHECK(failed.result == "http_error");
    }
  }
}

TEST_CASE("token response: a server's own words are reduced to harmless ones, 512 at most") {
  const auto failed =
      failure(400, R"({"error":"odd\ncode\"","error_description":"a\"b\\c\r\nX: 1\u0000\u001b[31m\u00e9)" +
                       std::string(100'000, 'x') + "\"}");
  CHECK(failed.error.error.oauth_error == "odd code'");
  const std::string& description = failed.error.error.oauth_error_description;
  CHECK(description.starts_with("a'b?c  X: 1??[31m?xxx"));
  CHECK(description.size() == 512);
}

TEST_CASE("token response: a description that repeats a secret is withheld") {
  for (const std::string& text : {std::string{"bad secret s3cr\\\"et!"}, std::string{"bad secret s3cr%22et"},
                                  "far " + std::string(600, 'x') + "s3cr%22et"}) {
    const auto failed = failure(401, R"({"error":"invalid_client","error_description":")" + text + "\"}", {},
                                {"s3cr\"et", "s3cr%22et"});
    CHECK(failed.error.error.oauth_error == "invalid_client");
    CHECK(failed.error.error.oauth_error_description.find("withheld") != std::string::npos);
    CHECK(failed.error.error.oauth_error_description.find("s3cr") == std::string::npos);
  }
  const auto failed = failure(401, R"({"error":"unknown-s3cret"})", {}, {"s3cret"});
  CHECK(failed.error.error.oauth_error.find("s3cret") == std::string::npos);
}

TEST_CASE("token response: no detail quotes the body") {
  for (const int status : {200, 302, 400, 401, 404, 429, 500}) {
    for (const char* body :
         {"canary", R"({"error":"canary","error_description":"canary"})",
          R"({"access_token":"canary canary"})", R"({"access_token":"canary","token_type":"x"})"}) {
      CHECK(failure(status, body).error.error.detail.find("canary") == std::string::npos);
    }
  }
}

TEST_CASE("transport error: unreachable may pass") {
  const auto failed =
      judge_transport_error({.kind = TransportError::Kind::unreachable, .detail = "as.example:443"});
  CHECK(failed.error.error.code == ErrorCode::authorization_server_unavailable);
  CHECK(failed.error.error.detail.find("as.example:443") != std::string::npos);
  CHECK(failed.error.error.retry_after == 1s);
  CHECK(failed.error.memory == Memory::transient);
  CHECK(failed.passing);
  CHECK(failed.result == "transport_error");
}

TEST_CASE("transport error: a timeout has a code of its own") {
  const auto failed =
      judge_transport_error({.kind = TransportError::Kind::timed_out, .detail = "as.example:443"});
  CHECK(failed.error.error.code == ErrorCode::token_request_timeout);
  CHECK(failed.error.memory == Memory::transient);
  CHECK(failed.result == "timeout");
}

TEST_CASE("transport error: a response that is none is no token") {
  check_invalid(judge_transport_error({.kind = TransportError::Kind::bad_response, .detail = "too large"}));
}

TEST_CASE(
    "transport error: a CA file that cannot be read makes the client unavailable and is not remembered") {
  const auto failed = judge_transport_error(
      {.kind = TransportError::Kind::misconfigured, .detail = "cannot read /x\x1b.pem"});
  CHECK(failed.error.error.code == ErrorCode::client_unavailable);
  CHECK(failed.error.error.detail.find("cannot read /x?.pem") != std::string::npos);
  CHECK(failed.error.memory == Memory::none);
  CHECK_FALSE(failed.passing);
}
