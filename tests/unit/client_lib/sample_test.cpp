// The sample of the documentation, compiled as its readers will compile it: as C++20, with nothing of this
// project but the installed headers.
#include <doctest/doctest.h>

#include <grantd/client.hpp>
#include <type_traits>

#include "scripted_daemon.hpp"

static_assert(__cplusplus < 202'300L, "this file stands for users who compile as C++20");

using grantd::ClientOptions;

TEST_CASE("library sample: does what the documentation says, compiled as C++20") {
  const grantd::tests::TemporaryDirectory directory;
  const std::string path = directory / "socket";
  grantd::tests::ScriptedDaemon daemon(
      path, grantd::tests::answering([](const auto& request) {
        if (request.target().starts_with("/v1/proxy/")) return grantd::tests::http_answer(200, "invoice");
        const bool renewed = request.body.find("rejected") != std::string::npos;
        return grantd::tests::token_answer(renewed ? "second" : "first", renewed ? "v2" : "v1");
      }));
  const auto send = [](const grantd::Token& t) { return t.value() == "second" ? 200 : 401; };

  grantd::Client client{ClientOptions{.socket = path}};
  grantd::Token token = client.get_access_token("catalog.client");
  token = client.get_access_token("catalog.client", {.force_renewal = true, .scope = "catalog"});

  grantd::HttpClient invoices =
      client.http("invoices");  // through the daemon: the token never enters this process
  grantd::Response response = invoices.get("test");

  // with an HTTP client of one's own: sent again once with a new token when it returns 401
  int status = client.with_token("catalog.client", [&](const grantd::Token& t) { return send(t); });

  CHECK(response.status == 200);
  CHECK(status == 200);
}

TEST_CASE("library types: the documented members stand in the documented order") {
  const grantd::ClientOptions options{.socket = "/x", .timeout = std::chrono::seconds{1}};
  const grantd::TokenRequest wishes{.force_renewal = true,
                                    .scope = "s",
                                    .resource = {"urn:r"},
                                    .audience = "a",
                                    .parameters = {{"k", "v"}},
                                    .assertion = "j",
                                    .min_valid = std::chrono::seconds{5},
                                    .rejected = "v1"};
  const grantd::Request request{.method = "POST",
                                .path = "x",
                                .headers = {{"Accept", "a"}, {"accept", "b"}},
                                .body = "b",
                                .content_type = "text/plain",
                                .token = wishes};
  const grantd::Response response{.status = 200, .headers = {{"ETag", "e"}}, .body = "b"};
  CHECK(options.timeout == std::chrono::seconds{1});
  CHECK(grantd::ClientOptions{}.timeout == std::chrono::seconds{60});
  CHECK(request.headers.count("ACCEPT") == 2);
  CHECK(response.headers.find("etag")->second == "e");
  static_assert(std::is_base_of_v<std::runtime_error, grantd::Error>);
  static_assert(std::is_nothrow_copy_constructible_v<grantd::Error>);
  static_assert(std::is_same_v<decltype(std::declval<grantd::Error>().code()), std::string_view>);
  static_assert(std::is_same_v<decltype(std::declval<grantd::Token>().version()), std::string_view>);
}
