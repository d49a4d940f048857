#include <doctest/doctest.h>

#include <map>
#include <string>
#include <string_view>

#include "client-lib/src/json.hpp"
#include "client-lib/src/token_call.hpp"

using namespace grantd;

namespace {

bool is_json(std::string_view text) {
  return detail::read_json_object(text, [](const detail::JsonMember&) {});
}

std::string string_member(std::string_view text) {
  std::string found;
  CHECK(detail::read_json_object(text, [&](const detail::JsonMember& member) { found = member.text; }));
  return found;
}

std::string quoted(std::string_view text) {
  common::Secret out;
  detail::append_json_string(out, text);
  return std::string{out.reveal()};
}

std::string token_json(std::string_view value, std::string_view type = "Bearer",
                       std::string_view expires_at = "2030-01-31T12:00:00Z") {
  return R"({"access_token":")" + std::string{value} + R"(","token_type":")" + std::string{type} +
         R"(","expires_at":")" + std::string{expires_at} + R"(","version":"v1"})";
}

}  // namespace

TEST_CASE("library JSON: members come in order, decoded") {
  std::map<std::string, std::string> seen;
  CHECK(detail::read_json_object(
      R"( { "a" : "x\n\"\\\/" , "b":[1,{"c":"d"}],"e":-1.5e+3, "f":null,"g":true } )",
      [&](const detail::JsonMember& member) { seen[std::string{member.name}] = member.text; }));
  CHECK(seen ==
        std::map<std::string, std::string>{
            {"a", "x\n\"\\/"}, {"b", R"([1,{"c":"d"}])"}, {"e", "-1.5e+3"}, {"f", "null"}, {"g", "true"}});
}

TEST_CASE("library JSON: escapes become UTF-8") {
  CHECK(string_member(R"({"a":"\u0041\u00e9\u20ac\ud83d\ude00"})") ==
        "A\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80");
}

TEST_CASE("library JSON: what RFC 8259 does not allow is refused") {
  for (const std::string_view text : {"",
                                      "[]",
                                      "\"a\"",
                                      "{",
                                      "{}x",
                                      "{\"a\"}",
                                      "{\"a\":}",
                                      "{\"a\":1,}",
                                      "{a:1}",
                                      "{'a':1}",
                                      "{\"a\":01}",
                                      "{\"a\":.5}",
                                      "{\"a\":1.}",
                                      "{\"a\":1e}",
                                      "{\"a\":+1}",
                                      "{\"a\":NaN}",
                                      "{\"a\":tru}",
                                      "{\"a\":[1,]}",
                                      "{\"a\":\"\n\"}",
                                      "{\"a\":\"\\x\"}",
                                      "{\"a\":\"\\ud800\"}",
                                      "{\"a\":\"\\ud800\\u0041\"}",
                                      "{\"a\":\"\\udc00\"}",
                                      "{\"a\":\"\\u12g4\"}",
                                      "{\"a\":\"open",
                                      "{\"a\":\"\xff\"}",
                                      "{\"a\":\"\xc0\x80\"}",
                                      "{\"a\":\"\xed\xa0\x80\"}",
                                      "{\"a\":\"\xf4\x90\x80\x80\"}",
                                      "{\"a\":\"\xe2\x82\"}"}) {
    CAPTURE(text);
    CHECK_FALSE(is_json(text));
  }
}

TEST_CASE("library JSON: deep nesting is refused rather than followed") {
  const std::string deep(100'000, '[');
  CHECK_FALSE(is_json("{\"a\":" + deep));
  CHECK(is_json("{\"a\":" + std::string(20, '[') + std::string(20, ']') + "}"));
}

TEST_CASE("library JSON: strings are written so that they stay strings") {
  CHECK(quoted("a\"b\\c\n\x01") == R"("a\"b\\c\u000a\u0001")");
}

TEST_CASE("library token: an answer that could break out of a header is no token") {
  CHECK(detail::parse_token(token_json("abc")));
  CHECK_FALSE(detail::parse_token(token_json("abc\\r\\nX: y")));
  CHECK_FALSE(detail::parse_token(token_json("a b")));
  CHECK_FALSE(detail::parse_token(token_json("")));
  CHECK_FALSE(detail::parse_token(token_json(std::string(16385, 'x'))));
  CHECK_FALSE(detail::parse_token(token_json("abc", "mac")));
  CHECK_FALSE(detail::parse_token(token_json("abc", "Bearer", "soon")));
  CHECK_FALSE(detail::parse_token("{\"access_token\":1}"));
}

TEST_CASE("library token: times are RFC 3339 in UTC") {
  const auto at = [](std::string_view text) {
    const auto time = detail::parse_utc(text);
    return time ? std::chrono::duration_cast<std::chrono::seconds>(time->time_since_epoch()).count() : -1;
  };
  CHECK(at("1970-01-02T00:00:01Z") == 86401);
  CHECK(at("2030-01-31T12:00:00.123Z") == 1896091200);
  for (const std::string_view bad :
       {"", "2030-01-31", "4060-01-31T12:00:00Z", "1969-12-31T23:59:59Z", "2030-02-30T12:00:00Z",
        "2030-01-31T24:00:00Z", "2030-01-31T12:00:00", "2030-01-31T12:00:00+01:00", "2030-01-31T12:00:00.Z",
        "2030-01-31T12:00:0xZ"}) {
    CAPTURE(bad);
    CHECK(at(bad) == -1);
  }
}
