#include "config/url.hpp"

#include <doctest/doctest.h>

using namespace grantd::config;

TEST_CASE("URL: its parts come out") {
  const auto url = Url::parse("https://Auth.Example.com:8443/realms/x/token?a=%20b").value();
  CHECK(url.text == "https://Auth.Example.com:8443/realms/x/token?a=%20b");
  CHECK(url.tls);
  CHECK(url.host == "auth.example.com");
  CHECK(url.port == 8443);
  CHECK(url.path == "/realms/x/token");
  CHECK(url.query == "a=%20b");
  CHECK(url.authority() == "auth.example.com:8443");
}

TEST_CASE("URL: the scheme gives the port, an empty path is a slash") {
  const auto https = Url::parse("https://a.example").value();
  CHECK(https.port == 443);
  CHECK(https.path == "/");
  CHECK(https.authority() == "a.example");
  const auto http = Url::parse("HTTP://a.example?q").value();
  CHECK_FALSE(http.tls);
  CHECK(http.port == 80);
  CHECK(http.path == "/");
  CHECK(http.query == "q");
  CHECK(Url::parse("http://a.example:443").value().authority() == "a.example:443");
}

TEST_CASE("URL: an IPv6 address is bracketed in the authority and nowhere else") {
  const auto url = Url::parse("https://[2001:DB8::1]:8443/").value();
  CHECK(url.host == "2001:db8::1");
  CHECK(url.authority() == "[2001:db8::1]:8443");
  CHECK(Url::parse("https://[::1]/").value().authority() == "[::1]");
}

TEST_CASE("URL: what two programs could read differently is refused") {
  struct Wrong {
    const char* url;
    const char* expectation;
  };
  for (const auto& [url, expectation] : {Wrong{"", "absolute URL"},
                                         Wrong{"auth.example.com/token", "absolute URL"},
                                         Wrong{"ftp://a.example/", "absolute URL"},
                                         Wrong{"https:/a.example/", "absolute URL"},
                                         Wrong{"https:a.example", "absolute URL"},
                                         Wrong{" https://a.example/", "without spaces"},
                                         Wrong{"https://a.example/a b", "without spaces"},
                                         Wrong{"https://a.example/\n", "printable"},
                                         Wrong{"https://\xc3\xa4.example/", "printable"},
                                         Wrong{"https://user@a.example/", "user or password"},
                                         Wrong{"https://u:p@a.example/", "user or password"},
                                         Wrong{"https://a.example#@b.example/", "fragment"},
                                         Wrong{"https://a.example/#f", "fragment"},
                                         Wrong{"https://", "host name"},
                                         Wrong{"https:///path", "host name"},
                                         Wrong{"https://a..b/", "host name"},
                                         Wrong{"https://.a/", "host name"},
                                         Wrong{"https://a./", "host name"},
                                         Wrong{"https://-a/", "host name"},
                                         Wrong{"https://a_b!/", "host name"},
                                         Wrong{"https://a,b/", "host name"},
                                         Wrong{"https://1.2.3/", "host name"},
                                         Wrong{"https://1.2.3.256/", "host name"},
                                         Wrong{"https://2130706433/", "host name"},
                                         Wrong{"https://0x7f.1/", "host name"},
                                         Wrong{"https://[::1/", "host name"},
                                         Wrong{"https://[::g]/", "host name"},
                                         Wrong{"https://[127.0.0.1]/", "host name"},
                                         Wrong{"https://[::1]x/", "host name"},
                                         Wrong{"https://::1/", "host name"},
                                         Wrong{"https://a.example:/", "port"},
                                         Wrong{"https://a.example:0/", "port"},
                                         Wrong{"https://a.example:65536/", "port"},
                                         Wrong{"https://a.example:+80/", "port"},
                                         Wrong{"https://a.example:080000/", "port"},
                                         Wrong{"https://a.example:80x/", "port"},
                                         Wrong{"https://a.example\\@b.example/", "URL characters"},
                                         Wrong{"https://a.example/%", "URL characters"},
                                         Wrong{"https://a.example/%2", "URL characters"},
                                         Wrong{"https://a.example/%zz", "URL characters"},
                                         Wrong{"https://a.example/a\\b", "URL characters"},
                                         Wrong{"https://a.example/<x>", "URL characters"},
                                         Wrong{"https://a.example/{x}", "URL characters"}}) {
    CAPTURE(url);
    const auto parsed = Url::parse(url);
    REQUIRE_FALSE(parsed.has_value());
    CAPTURE(parsed.error());
    CHECK(parsed.error().find(expectation) != std::string::npos);
  }
  CHECK_FALSE(Url::parse("https://" + std::string(64, 'a') + ".example/").has_value());
  CHECK_FALSE(Url::parse(std::string_view{"https://a.example/\0", 19}).has_value());
}

TEST_CASE("URL: hosts that are plainly written are accepted") {
  for (const char* url :
       {"https://localhost/", "https://127.0.0.1:1/", "https://my_service/", "https://1password.com/",
        "https://xn--bcher-kva.example/", "https://a.example/;p=1/@x:y/~z?q=/?&a[]"}) {
    CAPTURE(url);
    const bool brackets_in_query = std::string_view{url}.ends_with("[]");
    CHECK(Url::parse(url).has_value() == !brackets_in_query);
  }
}

TEST_CASE("resource: an absolute URI without a fragment") {
  for (const char* right :
       {"https://api.example.com", "urn:example:api", "api://00000000-0000", "a+b-c.1:x"}) {
    CAPTURE(right);
    CHECK(parse_resource(right) == right);
  }
  for (const char* wrong :
       {"", "api", "/api", ":x", "https:", "1a:x", "https://a#f", "https://a b", "https://\xc3\xa4"}) {
    CAPTURE(wrong);
    CHECK_FALSE(parse_resource(wrong).has_value());
  }
}

TEST_CASE("listen address: an IP address and a port") {
  CHECK(parse_listen_address("127.0.0.1:9464") == std::pair<std::string, std::uint16_t>{"127.0.0.1", 9464});
  CHECK(parse_listen_address("[::1]:9464") == std::pair<std::string, std::uint16_t>{"::1", 9464});
  for (const char* wrong : {"", "9464", ":9464", "127.0.0.1", "127.0.0.1:", "127.0.0.1:0", "127.0.0.1:65536",
                            "localhost:1", "::1:9464", "[::1]", "a.example:1"}) {
    CAPTURE(wrong);
    CHECK_FALSE(parse_listen_address(wrong).has_value());
  }
}

TEST_CASE("proxy: http, host and port, nothing more") {
  CHECK(parse_proxy_url("http://proxy.example.com:3128").value().port == 3128);
  CHECK(parse_proxy_url("http://[::1]:3128/").value().host == "::1");
  for (const char* wrong : {"", "proxy:3128", "http://proxy", "https://proxy:1", "http://proxy:1/x",
                            "http://u:p@proxy:1", "http://proxy:1?x"}) {
    CAPTURE(wrong);
    CHECK_FALSE(parse_proxy_url(wrong).has_value());
  }
}

TEST_CASE("redis URL: host and port or a path, a user but no password") {
  for (const char* right :
       {"redis://h:6379", "redis://user@h:6379/15", "rediss://[::1]:6379/", "redis+unix:///run/redis.sock"}) {
    CAPTURE(right);
    CHECK(parse_redis_url(right).has_value());
  }
  CHECK(parse_redis_url("redis://user@H:6379/15").value() ==
        RedisServer{.host = "h", .port = 6379, .user = "user", .database = 15});
  CHECK(parse_redis_url("rediss://[::1]:6379/").value() ==
        RedisServer{.host = "::1", .port = 6379, .tls = true});
  CHECK(parse_redis_url("redis+unix:///run/redis.sock").value() == RedisServer{.socket = "/run/redis.sock"});
  CHECK(parse_redis_url("redis+unix:///run/a%20b%2Fc.sock").value() ==
        RedisServer{.socket = "/run/a b/c.sock"});
  CHECK(parse_redis_url("redis://user%40x%3ay@h:1").value() ==
        RedisServer{.host = "h", .port = 1, .user = "user@x:y"});
  for (const char* wrong :
       {"", "redis://h", "redis://u:p@h:1", "redis://@h:1", "redis://h:1/x", "redis://h:1/12345",
        "http://h:1", "redis+unix://x", "redis+unix:///", "redis+unix:///a?b", "redis://h:1/0?x", "h:1",
        "redis+unix:///a%", "redis+unix:///a%2", "redis+unix:///a%zz", "redis+unix:///a%00",
        "redis+unix:///a%2f", "redis://u%4@h:1", "redis://u%00@h:1"}) {
    CAPTURE(wrong);
    CHECK_FALSE(parse_redis_url(wrong).has_value());
  }
}
