#include "daemon/oauth/token_lifetime.hpp"

#include <doctest/doctest.h>

#include <string>

#include "daemon/crypto/base64url.hpp"
#include "tests/unit/oauth/new_year.hpp"

using namespace std::chrono_literals;
using grantd::daemon::JsonMembers;
using grantd::daemon::lifetime_of;
using grantd::daemon::lifetime_of_jwt;
using grantd::tests::new_year;

namespace {

constexpr std::chrono::seconds year = std::chrono::days{365};
std::optional<std::chrono::seconds> told(const std::string& value) {
  const auto members = JsonMembers::parse(R"({"expires_in":)" + value + "}", {"expires_in"});
  REQUIRE(members);
  return lifetime_of((*members)["expires_in"]);
}

std::string part(std::string_view text) {
  return grantd::daemon::base64url_encode(std::as_bytes(std::span{text}));
}

std::string jwt(std::string_view claims) { return part(R"({"alg":"none"})") + "." + part(claims) + ".c2ln"; }

}  // namespace

TEST_CASE("expires_in: a number or a numeric string, rounded down") {
  CHECK(told("3600") == 3600s);
  CHECK(told("\"3600\"") == 3600s);
  CHECK(told("3599.9") == 3599s);
  CHECK(told("\"3599.9\"") == 3599s);
  CHECK(told("3.6e3") == 3600s);
  CHECK(told("0.9") == 0s);
}

TEST_CASE("expires_in: zero and negative are kept as such") {
  CHECK(told("0") == 0s);
  CHECK(told("\"0\"") == 0s);
  CHECK(told("-5") == -5s);
  CHECK(told("\"-5\"") == -5s);
  CHECK(told("-0.5") == -1s);
  CHECK(*told("-1e300") <= 0s);
  CHECK(*told("-9223372036854775808") <= 0s);
}

TEST_CASE("expires_in: more than a year is a year") {
  for (const char* value : {"1000000000", "1e300", "18446744073709551615", "99999999999999999999999999",
                            "31536001", "\"99999999999999999999999999\"", "\"31536001\""}) {
    CHECK_MESSAGE(told(value) == year, value);
  }
  CHECK(told("31536000") == year);
}

TEST_CASE("expires_in: what is no number says nothing") {
  for (const char* value : {"null", "true", "{}", "[]", "[60]", "\"\"", "\" 60\"", "\"+60\"", "\"1e3\"",
                            "\"60s\"", "\"0x10\"", "\".5\"", "\"5.\"", "\"-\"", "\"inf\"", "\"nan\""}) {
    CHECK_MESSAGE(!told(value), value);
  }
}

TEST_CASE("exp of a jwt: counts from the wall clock") {
  // 2026-01-01T00:00:00Z is 1767225600.
  CHECK(lifetime_of_jwt(jwt(R"({"exp":1767230600})"), new_year) == 5000s);
  CHECK(lifetime_of_jwt(jwt(R"({"exp":1767230600.7,"sub":"x"})"), new_year) == 5000s);
  CHECK(lifetime_of_jwt(jwt(R"({"exp":1767225590})"), new_year) == -10s);
  CHECK(lifetime_of_jwt(jwt(R"({"exp":1e300})"), new_year) == year);
  CHECK(*lifetime_of_jwt(jwt(R"({"exp":-1e300})"), new_year) < 0s);
}

TEST_CASE("exp of a jwt: a token that is none, or has none, says nothing") {
  const std::string good = part(R"({"exp":1767230600})");
  for (const std::string& token :
       {std::string{"opaque"}, std::string{"a.b"}, std::string{".."}, "a." + good, "a." + good + ".c.d",
        "a." + good + ".c.d.e", "a." + good + "=.c", "a.!" + good + ".c", jwt("[1767230600]"), jwt("{}"),
        jwt(R"({"exp":"1767230600"})"), jwt(R"({"exp":null})"), jwt(R"({"exp")"),
        jwt(std::string(10'000, '['))}) {
    CHECK_MESSAGE(!lifetime_of_jwt(token, new_year), token);
  }
}
