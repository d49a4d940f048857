// The proxy's decisions that need no connection: paths, Grantd-* headers, repetition, replay memory.
#include <doctest/doctest.h>

#include "daemon/proxy/grantd_headers.hpp"
#include "daemon/proxy/replay_buffer.hpp"
#include "daemon/proxy/resolver.hpp"
#include "daemon/proxy/retry_policy.hpp"
#include "daemon/proxy/target.hpp"
#include "daemon/proxy/upstream_pool.hpp"

namespace grantd::daemon {
namespace {

common::Result<CallerRequest> wanted(std::string_view fields) {
  const std::string bytes = "GET / HTTP/1.1\r\nHost: a\r\n" + std::string{fields} + "\r\n";
  http1::RequestHead head;
  REQUIRE(http1::parse_request_head(bytes, head));
  return read_grantd_headers(head);
}

std::string joined(std::string_view base, std::string_view target) {
  std::string out;
  return append_api_target(out, base, target) ? out : "refused";
}

}  // namespace

TEST_CASE("target: a path that climbs is refused in every spelling a server may understand") {
  for (const char* path :
       {"/..", "/.", "/a/../b", "/a/./b", "/%2e%2e/x", "/%2E./x", "/.%2e", "/a%2f..%2fb", "/a%2F%2e%2E",
        "/a\\..\\b", "/a%5c..%5Cb", "/..;x=1/b", "/.;/b", "/%2e%2e;a/b", "/a/..;", "/..%2f"}) {
    CAPTURE(path);
    CHECK(has_dot_segment(path));
    CHECK(joined("", path) == "refused");
  }
}

TEST_CASE("target: dots that do not climb pass, and double encoding is left alone") {
  for (const char* path : {"/", "/a/b", "/...", "/.a", "/a.", "/..a/b", "/a;../b", "/a;..", "/%252e%252e/x",
                           "/%2e%2e%2e", "//a", "/;..", "/a%2fb", "/%", "/%2", "/x%2"}) {
    CAPTURE(path);
    CHECK_FALSE(has_dot_segment(path));
    CHECK(joined("", path) == path);
  }
}

TEST_CASE("target: exactly one slash joins base URL and path, and the query is appended unchanged") {
  CHECK(joined("", "/test") == "/test");
  CHECK(joined("/v1", "/test?a=b&c=%20/../x") == "/v1/test?a=b&c=%20/../x");
  CHECK(joined("/v1/", "/test?") == "/v1/test?");
  CHECK(joined("/v1", "/") == "/v1/");
  CHECK(joined("/v1", "*") == "refused");
  CHECK(joined("/v1", "") == "refused");
}

TEST_CASE("Grantd headers: each says what it names") {
  const auto request = wanted(
      "Grantd-Scope: a b\r\nGRANTD-RESOURCE: urn:one\r\nGrantd-Resource: urn:two\r\nGrantd-Audience: x\r\n"
      "Grantd-Parameters: tenant=a%20b&empty=\r\nGrantd-Assertion: a.b.c\r\nGrantd-Min-Valid: 30\r\n"
      "Grantd-Rejected: v1\r\nGrantd-Force-Renewal: true\r\nGrantd-Other: x\r\n");
  REQUIRE(request);
  CHECK(request->scope == "a b");
  CHECK(request->resource == std::vector<std::string>{"urn:one", "urn:two"});
  CHECK(request->audience == "x");
  CHECK(request->parameters.at("tenant") == "a b");
  CHECK(request->assertion.reveal() == "a.b.c");
  CHECK(request->min_valid == std::chrono::seconds{30});
  CHECK(request->rejected == "v1");
  CHECK(request->force_renewal);
}

TEST_CASE("Grantd headers: an empty one counts as absent, false forces nothing") {
  const auto request =
      wanted("Grantd-Scope:\r\nGrantd-Min-Valid: \r\nGrantd-Resource:\r\nGrantd-Force-Renewal: false\r\n");
  REQUIRE(request);
  CHECK(request->scope.empty());
  CHECK(request->resource.empty());
  CHECK_FALSE(request->min_valid);
  CHECK_FALSE(request->force_renewal);
}

TEST_CASE("Grantd headers: a repeated, broken or meaningless one is an invalid request") {
  for (const char* fields :
       {"Grantd-Scope: a\r\ngrantd-scope: b\r\n", "Grantd-Min-Valid: soon\r\n", "Grantd-Min-Valid: -1\r\n",
        "Grantd-Force-Renewal: yes\r\n", "Grantd-Parameters: a=%zz\r\n", "Grantd-Parameters: a=1&a=2\r\n"}) {
    CAPTURE(fields);
    const auto request = wanted(fields);
    REQUIRE_FALSE(request);
    CHECK(request.error().code == common::ErrorCode::invalid_request);
  }
}

TEST_CASE("retry policy: only a first 401 with a body that is still there is sent again") {
  CHECK(answer_to({.status = 401}) == RejectionAnswer::renew_and_resend);
  CHECK(answer_to({.status = 401, .body_can_be_sent = false}) == RejectionAnswer::renew_and_pass_on);
  CHECK(answer_to({.status = 401, .sent_again = true}) == RejectionAnswer::pass_on);
  CHECK(answer_to({.status = 401, .retry_on_401 = false}) == RejectionAnswer::pass_on);
  CHECK(answer_to({.status = 401, .own_assertion = true}) == RejectionAnswer::pass_on);
  for (const int status : {200, 204, 301, 400, 403, 407, 500, 503}) {
    CAPTURE(status);
    CHECK(answer_to({.status = status}) == RejectionAnswer::pass_on);
  }
}

TEST_CASE("retry policy: a demanded nonce is answered once and says nothing against the token") {
  CHECK(answer_to({.status = 401, .nonce_demanded = true}) == RejectionAnswer::resend_with_nonce);
  CHECK(answer_to({.status = 401, .retry_on_401 = false, .nonce_demanded = true}) ==
        RejectionAnswer::resend_with_nonce);
  CHECK(answer_to({.status = 401, .nonce_demanded = true, .nonce_answered = true}) ==
        RejectionAnswer::pass_on);
  CHECK(answer_to({.status = 401, .nonce_demanded = true, .body_can_be_sent = false}) ==
        RejectionAnswer::pass_on);
  CHECK(answer_to({.status = 401, .nonce_answered = true}) == RejectionAnswer::renew_and_resend);
}

TEST_CASE("retry policy: a broken connection is replaced only where nothing can happen twice") {
  const BrokenSend kept_alive{.method = "GET", .connection_was_used = true, .anything_sent = true};
  CHECK(may_repeat(kept_alive));
  auto fresh = kept_alive;
  fresh.connection_was_used = false;
  CHECK_FALSE(may_repeat(fresh));
  auto again = kept_alive;
  again.sent_again = true;
  CHECK_FALSE(may_repeat(again));
  auto lost_body = kept_alive;
  lost_body.body_can_be_sent = false;
  CHECK_FALSE(may_repeat(lost_body));
  auto order = kept_alive;
  order.method = "POST";
  CHECK_FALSE(may_repeat(order));
  order.anything_sent = false;
  CHECK(may_repeat(order));
}

TEST_CASE("retry policy: methods are compared with case, and unknown ones are not idempotent") {
  CHECK(is_idempotent("PUT"));
  CHECK(is_idempotent("PROPFIND"));
  CHECK_FALSE(is_idempotent("PATCH"));
  CHECK_FALSE(is_idempotent("get"));
  CHECK_FALSE(is_idempotent("BREW"));
}

TEST_CASE("replay buffer: keeps a body up to its limit and gives up for good beyond it") {
  const auto budget = std::make_shared<ReplayBudget>(ReplayBudget{.left = 100});
  ReplayBuffer buffer{budget, 10};
  buffer.record(std::string_view{"12345"});
  buffer.record(std::string_view{"67890"});
  CHECK(buffer.whole());
  CHECK(std::string{buffer.bytes().begin(), buffer.bytes().end()} == "1234567890");
  buffer.record(std::string_view{"x"});
  CHECK_FALSE(buffer.whole());
  CHECK(budget->left == 100);
  buffer.record(std::string_view{"1"});
  CHECK_FALSE(buffer.whole());
}

TEST_CASE("replay buffer: all together stay within the budget, and what is dropped is free for others") {
  const auto budget = std::make_shared<ReplayBudget>(ReplayBudget{.left = 10});
  const std::string eight(8, 'x');
  {
    ReplayBuffer first{budget, 100};
    first.record(eight);
    CHECK(budget->left == 2);
    ReplayBuffer second{budget, 100};
    second.record(eight);
    CHECK_FALSE(second.whole());
    CHECK(first.whole());
  }
  CHECK(budget->left == 10);
  ReplayBuffer third{budget, 100};
  third.record(eight);
  CHECK(third.whole());
}

TEST_CASE("resolver: address families alternate, the preferred one first") {
  const auto endpoint = [](const char* address) {
    return boost::asio::ip::tcp::endpoint{boost::asio::ip::make_address(address), 1};
  };
  Addresses addresses{endpoint("::1"), endpoint("::2"), endpoint("::3"), endpoint("127.0.0.1"),
                      endpoint("127.0.0.2")};
  alternate_families(addresses);
  CHECK(addresses == Addresses{endpoint("::1"), endpoint("127.0.0.1"), endpoint("::2"), endpoint("127.0.0.2"),
                               endpoint("::3")});
  Addresses none;
  alternate_families(none);
  CHECK(none.empty());
}

TEST_CASE("upstream pool: an announced keep-alive time is understood, anything else is not") {
  CHECK(keep_alive_timeout("timeout=5, max=1000") == std::chrono::seconds{5});
  CHECK(keep_alive_timeout("max=3,timeout=72") == std::chrono::seconds{72});
  CHECK(keep_alive_timeout("timeout=99999") == std::chrono::seconds{3600});
  CHECK_FALSE(keep_alive_timeout("timeout=soon"));
  CHECK_FALSE(keep_alive_timeout("max=5"));
}

}  // namespace grantd::daemon
