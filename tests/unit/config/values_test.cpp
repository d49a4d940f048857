#include "config/values.hpp"

#include <doctest/doctest.h>

using namespace grantd::config;
using namespace std::chrono_literals;

TEST_CASE("duration: one integer and one unit") {
  CHECK(parse_duration("250ms") == Duration{250ms});
  CHECK(parse_duration("60s") == Duration{60s});
  CHECK(parse_duration("5m") == Duration{5min});
  CHECK(parse_duration("24h") == Duration{24h});
  CHECK(parse_duration("86400000ms") == Duration{24h});
}

TEST_CASE("duration: nothing else is guessed at") {
  for (const char* wrong : {"",
                            "60",
                            "s",
                            "0s",
                            "0ms",
                            "-1s",
                            "+1s",
                            "1.5h",
                            "1h30m",
                            "1 s",
                            " 1s",
                            "1s ",
                            "1S",
                            "1d",
                            "1us",
                            "25h",
                            "86400001ms",
                            "1441m",
                            "99999999999999999999s",
                            "18446744073709551615h",
                            "0x10s"}) {
    CAPTURE(wrong);
    CHECK_FALSE(parse_duration(wrong).has_value());
  }
}

TEST_CASE("size: one integer and one binary unit, up to the limit") {
  constexpr std::size_t limit = std::size_t{64} << 20;
  CHECK(parse_size("0B", limit) == 0);
  CHECK(parse_size("64KiB", limit) == 65536);
  CHECK(parse_size("1MiB", limit) == 1U << 20);
  CHECK(parse_size("64MiB", limit) == limit);
  CHECK(parse_size("1GiB", std::size_t{1} << 30) == 1U << 30);
  for (const char* wrong : {"", "1", "1MB", "1M", "1 MiB", "-1B", "1.5MiB", "65MiB", "1GiB", "67108865B",
                            "18446744073709551615GiB", "18446744073709551616B"}) {
    CAPTURE(wrong);
    CHECK_FALSE(parse_size(wrong, limit).has_value());
  }
  CHECK(parse_size("2GiB", limit).error().find("at most \"64MiB\"") != std::string::npos);
}

TEST_CASE("socket mode: octal permissions and no other bits") {
  CHECK(parse_mode("0660") == 0660);
  CHECK(parse_mode("600") == 0600);
  CHECK(parse_mode("0777") == 0777);
  for (const char* wrong : {"", "66", "06600", "0o660", "0680", "1777", "4660", "-660", "rw-rw----"}) {
    CAPTURE(wrong);
    CHECK_FALSE(parse_mode(wrong).has_value());
  }
}

TEST_CASE("socket path: absolute and short enough for a socket address") {
  CHECK(parse_socket_path("/run/x.sock") == "/run/x.sock");
  CHECK(parse_socket_path("/" + std::string(106, 'x')).has_value());
  CHECK_FALSE(parse_socket_path("/" + std::string(107, 'x')).has_value());
  CHECK_FALSE(parse_socket_path("run/x.sock").has_value());
  CHECK_FALSE(parse_socket_path("/run/").has_value());
  CHECK_FALSE(parse_socket_path(std::string_view{"/run/\0x", 7}).has_value());
}

TEST_CASE("scope: the characters of RFC 6749 section 3.3") {
  CHECK(parse_scope_token("https://api.example.com/read!") == "https://api.example.com/read!");
  for (const char* wrong : {"", "a b", "a\"b", "a\\b", "a\tb", "\x7f", "\xc3\xa4"}) {
    CAPTURE(wrong);
    CHECK_FALSE(parse_scope_token(wrong).has_value());
  }
}

TEST_CASE("names of systemd credentials, variables and units follow their grammars") {
  CHECK(parse_credential_name("catalog.client").has_value());
  for (const char* wrong : {"", ".", "..", "a/b", "a:b", "a b"}) {
    CAPTURE(wrong);
    CHECK_FALSE(parse_credential_name(wrong).has_value());
  }
  CHECK(parse_variable_name("SECRET_1").has_value());
  for (const char* wrong : {"", "1SECRET", "A=B", "A-B", "$A"}) {
    CAPTURE(wrong);
    CHECK_FALSE(parse_variable_name(wrong).has_value());
  }
  CHECK(parse_unit_name("worker@.service").has_value());
  CHECK(parse_unit_name("session-1.scope").has_value());
  for (const char* wrong : {"", "billing", ".service", "a.slice", "a/b.service", "a b.service"}) {
    CAPTURE(wrong);
    CHECK_FALSE(parse_unit_name(wrong).has_value());
  }
}

TEST_CASE("account ids: what the kernel takes for nobody is none") {
  CHECK(parse_account_id("0") == 0U);
  CHECK(parse_account_id("4294967294") == 4294967294U);
  for (const char* wrong : {"", "4294967295", "4294967296", "-1", "1000x", "root"}) {
    CAPTURE(wrong);
    CHECK_FALSE(parse_account_id(wrong).has_value());
  }
}
