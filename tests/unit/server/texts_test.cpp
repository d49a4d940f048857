#include <doctest/doctest.h>

#include <nlohmann/json.hpp>

#include "daemon/server/json_text.hpp"
#include "daemon/server/problem.hpp"
#include "daemon/server/token_document.hpp"
#include "daemon/server/token_wishes.hpp"
#include "tests/fakes/log_recorder.hpp"
#include "tests/fakes/manual_clock.hpp"

namespace grantd::tests {
namespace {

using namespace daemon;
using namespace std::chrono_literals;

TEST_CASE("token wishes: every member of a JSON body is read") {
  const auto wishes = parse_token_json(R"({"scope":"a b","resource":["urn:x","","urn:y"],"audience":"aud",
      "parameters":{"p":"1","q":""},"assertion":"ey.J","min_valid":30,"force_renewal":true,"rejected":"v1"})");
  REQUIRE(wishes);
  CHECK(wishes->scope == "a b");
  CHECK(wishes->resource == std::vector<std::string>{"urn:x", "urn:y"});
  CHECK(wishes->audience == "aud");
  CHECK(wishes->parameters == std::map<std::string, std::string>{{"p", "1"}, {"q", ""}});
  CHECK(wishes->assertion.reveal() == "ey.J");
  CHECK(wishes->min_valid == 30s);
  CHECK(wishes->force_renewal);
  CHECK(wishes->rejected == "v1");
  CHECK(parse_token_json(R"({"resource":"urn:z"})")->resource == std::vector<std::string>{"urn:z"});
  CHECK(parse_token_json("{}"));
  CHECK(parse_token_json(""));
}

TEST_CASE("token wishes: a body that is anything else is refused, and never quoted") {
  using namespace std::string_view_literals;
  for (const auto text : {"[]"sv,
                          "5"sv,
                          "\"x\""sv,
                          "null"sv,
                          "true"sv,
                          "{"sv,
                          "nonsense"sv,
                          " "sv,
                          R"({"scope":5})"sv,
                          R"({"scope":null})"sv,
                          R"({"scope":["a"]})"sv,
                          R"({"scope":{}})"sv,
                          R"({"unknown":1})"sv,
                          R"({"scope":"a","scope":"a"})"sv,
                          R"({"resource":[1]})"sv,
                          R"({"resource":[["a"]]})"sv,
                          R"({"resource":[{}]})"sv,
                          R"({"resource":{"a":"b"}})"sv,
                          R"({"parameters":[]})"sv,
                          R"({"parameters":{"a":1}})"sv,
                          R"({"parameters":{"a":{}}})"sv,
                          R"({"parameters":{"a":"1","a":"2"}})"sv,
                          R"({"parameters":"a=b"})"sv,
                          R"({"assertion":1})"sv,
                          R"({"min_valid":"10"})"sv,
                          R"({"min_valid":-1})"sv,
                          R"({"min_valid":1.5})"sv,
                          R"({"min_valid":1e3})"sv,
                          R"({"min_valid":31536001})"sv,
                          R"({"force_renewal":"yes"})"sv,
                          R"({"force_renewal":1})"sv,
                          R"({"assertion":"hush")"sv,
                          R"({"assertion":"hush"}})"sv,
                          R"({"scope":"x"} trailing)"sv,
                          "{\"scope\":\"\xff\"}"sv,
                          R"({"scope":"x",})"sv,
                          "{\"scope\":\"\0\"}"sv,
                          R"({scope:"x"})"sv}) {
    CAPTURE(text);
    const auto wishes = parse_token_json(text);
    REQUIRE_FALSE(wishes);
    CHECK(wishes.error().code == common::ErrorCode::invalid_request);
    CHECK_FALSE(wishes.error().detail.empty());
    CHECK(wishes.error().detail.find("hush") == std::string::npos);
  }
  CHECK_FALSE(parse_token_json(std::string(60'000, '[')));
  CHECK_FALSE(parse_token_json(R"({"parameters":)" + std::string(60'000, '{')));
}

TEST_CASE("token document: escapes what JSON wants escaped and never counts below zero") {
  Token token{
      .access_token = common::Secret{"a\\\"b"}, .type = TokenType::dpop, .scope = "x y", .version = "v"};
  token.expires = common::BootTime{10s};
  token.expires_wall =
      common::WallTime{std::chrono::sys_days{std::chrono::year{2027} / 2 / 3} + 4h + 5min + 6789ms};
  const auto written = [&](common::BootTime now) {
    return nlohmann::json::parse(token_document(token, "c", now)->text);
  };
  auto document = written(common::BootTime{1500ms});
  CHECK(document.at("access_token") == "a\\\"b");
  CHECK(document.at("token_type") == "DPoP");
  CHECK(document.at("expires_in") == 8);
  CHECK(document.at("expires_at") == "2027-02-03T04:05:06Z");
  document = written(common::BootTime{11s});
  CHECK(document.at("expires_in") == 0);
}

TEST_CASE("token document: is another one when a second has passed, not for each caller") {
  Token token{.access_token = common::Secret{"a"}, .version = "v"};
  token.expires = common::BootTime{10s};
  const auto first = token_document(token, "c", common::BootTime{1s});
  const std::string text = first->text;
  CHECK(token_document(token, "c", common::BootTime{1s}) == first);
  CHECK(token_document(token, "c", common::BootTime{2s}) != first);
  CHECK(first->expires_in == 9);  // whoever is still sending it
  CHECK(first->text == text);
  const auto* const second = token_document(token, "c", common::BootTime{2s}).get();
  CHECK(token_document(token, "c", common::BootTime{3s}).get() == second);  // nobody is
  CHECK(first->text == text);
}

TEST_CASE("token document: however many digits its number has, the rest is as if written anew") {
  Token token{.access_token = common::Secret{"a"}, .scope = "s", .version = "v"};
  token.expires = common::BootTime{1000s};
  const auto* const first = token_document(token, "c", common::BootTime{0s}).get();
  for (const auto now : {1s, 900s, 901s, 995s, 1200s}) {
    CAPTURE(now.count());
    const auto document = token_document(token, "c", common::BootTime{now});
    CHECK(document.get() == first);
    Token anew{.access_token = common::Secret{"a"}, .scope = "s", .version = "v"};
    anew.expires = token.expires;
    CHECK(document->text == token_document(anew, "c", common::BootTime{now})->text);
  }
}

TEST_CASE("json strings: whatever bytes come in, valid JSON goes out") {
  for (const std::string& text :
       {std::string{"plain"}, std::string{"\"\\\n\t\x01\x7f"}, std::string{"\xff\xfe"},
        std::string{"gr\xc3\xbc\xc3\x9f"}, std::string{"nul\0", 4}, std::string{}}) {
    std::string out;
    append_json_string(out, text);
    const auto parsed = nlohmann::json::parse(out);
    if (text.find('\xff') == std::string::npos) {
      CHECK(parsed == text);
    } else {
      CHECK(parsed == "\xef\xbf\xbd\xef\xbf\xbd");
    }
  }
}

TEST_CASE("problem: bears every member that applies and no other") {
  const common::Error full{.code = common::ErrorCode::token_request_rejected,
                           .detail = "why",
                           .oauth_error = "invalid_scope",
                           .oauth_error_description = "no such scope",
                           .retry_after = 5s};
  const LocalResponse response = problem_response(full, "client", "api");
  CHECK(response.status == 502);
  CHECK(response.content_type == "application/problem+json");
  CHECK(response.extra_headers == "Retry-After: 5\r\n");
  CHECK(nlohmann::json::parse(response.body) ==
        nlohmann::json{{"type", "urn:grantd:error:token_request_rejected"},
                       {"title", std::string{title(full.code)}},
                       {"status", 502},
                       {"detail", "why"},
                       {"code", "token_request_rejected"},
                       {"client", "client"},
                       {"api", "api"},
                       {"oauth_error", "invalid_scope"},
                       {"oauth_error_description", "no such scope"},
                       {"retry_after", 5}});
  const auto bare =
      nlohmann::json::parse(problem_response({.code = common::ErrorCode::not_found, .detail = "x"}).body);
  CHECK(bare.size() == 5);
}

TEST_CASE("token document: a token is handed out for the first time to each user and unit once") {
  const Token token;
  const auto kind = [&token](uid_t uid, const char* unit) { return note_handout(token, uid, unit).kind; };
  const std::vector<std::pair<uid_t, const char*>> all{{2, "b"}, {1, "b"}, {2, ""},
                                                       {1, ""},  {1, "a"}, {3, ""}};
  for (const auto& [uid, unit] : all) CHECK(kind(uid, unit) == HandoutKind::first);
  for (const auto& [uid, unit] : all) CHECK(kind(uid, unit) == HandoutKind::untold);
  note_handout(token, 1, "b").recipient.told = true;
  for (const auto& [uid, unit] : all) {
    const bool told = uid == 1 && std::string_view{unit} == "b";
    CHECK(kind(uid, unit) == (told ? HandoutKind::told : HandoutKind::untold));
  }
}

}  // namespace
}  // namespace grantd::tests
