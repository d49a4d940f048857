#include "daemon/oauth/retry.hpp"

#include <doctest/doctest.h>

#include <string>

#include "daemon/oauth/http_date.hpp"
#include "tests/unit/oauth/new_year.hpp"

using namespace std::chrono_literals;
using grantd::common::WallTime;
using grantd::daemon::parse_http_date;
using grantd::daemon::parse_retry_after;
using grantd::daemon::retry_delay;
using grantd::tests::new_year;

namespace {

std::optional<WallTime> date(std::string_view text) { return parse_http_date(text, new_year); }

}  // namespace

TEST_CASE("http date: the three formats of RFC 9110 section 5.6.7") {
  const WallTime expected = std::chrono::sys_days{std::chrono::year{1994} / 11 / 6} + 8h + 49min + 37s;
  CHECK(date("Sun, 06 Nov 1994 08:49:37 GMT") == expected);
  CHECK(date("Sunday, 06-Nov-94 08:49:37 GMT") == expected);
  CHECK(date("Sun Nov  6 08:49:37 1994") == expected);
}

TEST_CASE("http date: a year of two digits lies at most 50 years ahead") {
  CHECK(date("Sunday, 06-Nov-75 08:49:37 GMT") > new_year + std::chrono::years{49});
  CHECK(date("Sunday, 06-Nov-77 08:49:37 GMT") < new_year);
}

TEST_CASE("http date: anything else is none") {
  for (const char* text :
       {"", "GMT", "tomorrow", "Sun, 06 Nov 1994 08:49:37", "Sun, 06 Nov 1994 08:49:37 CET",
        "Sun, 31 Feb 1994 08:49:37 GMT", "Sun, 06 Nov 1994 24:49:37 GMT", "Sun, 06 Nov 1994 08:60:37 GMT",
        "Sun, 06 XYZ 1994 08:49:37 GMT", "Sun, 06 anF 1994 08:49:37 GMT", "Sun, 06 Nov 99999 08:49:37 GMT",
        "Sun, 06 Nov 9999 08:49:37 GMT", "Sun, 06 Nov 1994 08:49:37 GMT GMT", "Sun, 06 Nov 1994 08:49:3x GMT",
        "1994 Nov 06 Sun 08:49:37 GMT"}) {
    CHECK_MESSAGE(!date(text), text);
  }
}

TEST_CASE("Retry-After: seconds, at most five minutes") {
  CHECK(parse_retry_after("0", "", new_year) == 0s);
  CHECK(parse_retry_after("7", "", new_year) == 7s);
  CHECK(parse_retry_after("300", "", new_year) == 300s);
  CHECK(parse_retry_after("1000000", "", new_year) == 300s);
  CHECK(parse_retry_after(std::string(1000, '9'), "", new_year) == 300s);
}

TEST_CASE("Retry-After: a date counts from now, or from the response's own Date") {
  CHECK(parse_retry_after("Thu, 01 Jan 2026 00:01:40 GMT", "", new_year) == 100s);
  CHECK(parse_retry_after("Thu, 01 Jan 2026 00:01:40 GMT", "garbage", new_year) == 100s);
  CHECK(parse_retry_after("Thu, 01 Jan 2026 00:01:40 GMT", "Thu, 01 Jan 2026 00:01:10 GMT", new_year) == 30s);
  CHECK(parse_retry_after("Thu, 01 Jan 2026 10:00:00 GMT", "", new_year) == 300s);
  CHECK(parse_retry_after("Sun, 06 Nov 1994 08:49:37 GMT", "", new_year) == 0s);
}

TEST_CASE("Retry-After: what is neither is as if it were absent") {
  for (const char* text : {"", "-1", "1.5", "soon", "5s", " "}) {
    CHECK_MESSAGE(!parse_retry_after(text, "", new_year), text);
  }
}

TEST_CASE("retry: backoff doubles its bound, and the jitter chooses anything below it") {
  CHECK(retry_delay(1, {}, 10s, 0.0) == 0ns);
  CHECK(retry_delay(1, {}, 10s, 0.5) == 250ms);
  CHECK(retry_delay(2, {}, 10s, 0.5) == 500ms);
  CHECK(*retry_delay(1, {}, 10s, 0.999) < 500ms);
  CHECK(*retry_delay(2, {}, 10s, 0.999) < 1s);
}

TEST_CASE("retry: there are three requests at most") {
  CHECK(retry_delay(2, {}, 10s, 0.0));
  CHECK_FALSE(retry_delay(3, {}, 10s, 0.0));
}

TEST_CASE("retry: Retry-After is the least delay") {
  CHECK(retry_delay(1, 3s, 10s, 0.5) == 3s);
  CHECK(retry_delay(1, 0s, 10s, 0.5) == 250ms);
}

TEST_CASE("retry: a delay beyond the deadline is not waited for") {
  CHECK_FALSE(retry_delay(1, 10s, 10s, 0.5));
  CHECK_FALSE(retry_delay(1, {}, 200ms, 0.5));
  CHECK_FALSE(retry_delay(1, {}, 0s, 0.0));
  CHECK_FALSE(retry_delay(1, {}, -1s, 0.0));
  CHECK(retry_delay(1, 9s, 10s, 0.5) == 9s);
}
