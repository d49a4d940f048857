#include "daemon/catalog/token_access.hpp"

#include <doctest/doctest.h>

#include "daemon/catalog/request_syntax.hpp"

using grantd::common::ErrorCode;
using grantd::common::Secret;
using grantd::config::ClientSettings;
using grantd::config::Override;
using grantd::daemon::AccessPolicy;
using grantd::daemon::CallerRequest;
using grantd::daemon::CatalogApi;
using grantd::daemon::CatalogClient;
using grantd::daemon::parse_form;
using grantd::daemon::parse_min_valid;
using grantd::daemon::Variant;

namespace {

CatalogClient client_with(std::vector<Override> overrides) {
  auto settings = std::make_shared<ClientSettings>();
  settings->name = "catalog.client";
  settings->allow_overrides = std::move(overrides);
  return {settings, nullptr, AccessPolicy{{}, {}},
          Variant{.scope = {"read", "write"}, .resource = {"https://a.example"}, .audience = "catalog"}};
}

ErrorCode refusal(const CatalogClient& client, CallerRequest request) {
  const auto granted = grant_request(client, nullptr, std::move(request), 1);
  REQUIRE_FALSE(granted.has_value());
  return granted.error().code;
}

}  // namespace

TEST_CASE("caller's request: nothing asked is the definition's own token") {
  const auto client = client_with({});
  const auto granted = grant_request(client, nullptr, {}, 7);
  REQUIRE(granted.has_value());
  CHECK(granted->query.variant == client.variant);
  CHECK(granted->query.uid == 7);
}

TEST_CASE("caller's request: order and duplicates of scopes make no difference") {
  const auto client = client_with({});
  const auto granted = grant_request(client, nullptr, {.scope = "write  read write"}, 7);
  REQUIRE(granted.has_value());
  CHECK(granted->query.variant == client.variant);
}

TEST_CASE("caller's request: a subset of what is configured may always be asked for") {
  const auto granted =
      grant_request(client_with({}), nullptr, {.scope = "read", .resource = {"https://a.example"}}, 7);
  REQUIRE(granted.has_value());
  CHECK(granted->query.variant.scope == std::vector<std::string>{"read"});
}

TEST_CASE("caller's request: what allow_overrides does not name is refused") {
  const auto client = client_with({});
  CHECK(refusal(client, {.scope = "read admin"}) == ErrorCode::access_denied);
  CHECK(refusal(client, {.resource = {"https://b.example"}}) == ErrorCode::access_denied);
  CHECK(refusal(client, {.audience = "other"}) == ErrorCode::access_denied);
  CHECK(refusal(client, {.parameters = {{"tenant", "1"}}}) == ErrorCode::access_denied);
  CHECK(refusal(client, {.assertion = Secret{"e.y.J"}}) == ErrorCode::access_denied);
}

TEST_CASE("caller's request: what allow_overrides names is granted") {
  const auto client = client_with(
      {Override::scope, Override::resource, Override::audience, Override::parameters, Override::assertion});
  const auto granted = grant_request(client, nullptr,
                                     {.scope = "admin",
                                      .resource = {"https://b.example"},
                                      .audience = "other",
                                      .parameters = {{"tenant", "1"}},
                                      .assertion = Secret{"e.y.J"}},
                                     7);
  REQUIRE(granted.has_value());
  CHECK(granted->query.variant == Variant{.scope = {"admin"},
                                          .resource = {"https://b.example"},
                                          .audience = "other",
                                          .parameters = {{"tenant", "1"}}});
  CHECK(granted->assertion.reveal() == "e.y.J");
}

TEST_CASE("caller's request: in the proxy the API's scopes are the ones that count") {
  const auto client = client_with({});
  CatalogApi api{.settings = nullptr,
                 .client = nullptr,
                 .access = AccessPolicy{{}, {}},
                 .variant = {.scope = {"invoices"}},
                 .metrics = nullptr};
  CHECK(grant_request(client, &api, {.scope = "invoices"}, 7).has_value());
  CHECK_FALSE(grant_request(client, &api, {.scope = "read"}, 7).has_value());
}

TEST_CASE("caller's request: characters that no scope, resource or assertion may have are refused") {
  const auto client =
      client_with({Override::scope, Override::resource, Override::assertion, Override::audience});
  CHECK(refusal(client, {.scope = "a\"b"}) == ErrorCode::invalid_request);
  CHECK(refusal(client, {.scope = "a\nb"}) == ErrorCode::invalid_request);
  CHECK(refusal(client, {.resource = {"not a uri"}}) == ErrorCode::invalid_request);
  CHECK(refusal(client, {.resource = {"/relative"}}) == ErrorCode::invalid_request);
  CHECK(refusal(client, {.resource = {"https://a.example/#f"}}) == ErrorCode::invalid_request);
  CHECK(refusal(client, {.audience = "a\r\nb"}) == ErrorCode::invalid_request);
  CHECK(refusal(client, {.assertion = Secret{"a b"}}) == ErrorCode::invalid_request);
}

TEST_CASE("caller's request: parameters never hold a name that a token request defines") {
  const auto client = client_with({Override::parameters});
  for (const char* name :
       {"grant_type", "client_id", "client_secret", "client_assertion", "assertion", "scope", "resource",
        "audience", "code", "refresh_token", "username", "password", "subject_token", "subject_token_type",
        "actor_token", "requested_token_type", ""}) {
    CAPTURE(name);
    CHECK(refusal(client, {.parameters = {{name, "x"}}}) == ErrorCode::invalid_request);
  }
}

TEST_CASE("form: names and values are decoded in order, empty pairs are skipped") {
  const auto form = parse_form("a=1&b=x+y%2B&&a=&c");
  REQUIRE(form.has_value());
  CHECK(*form ==
        std::vector<std::pair<std::string, std::string>>{{"a", "1"}, {"b", "x y+"}, {"a", ""}, {"c", ""}});
}

TEST_CASE("form: a broken escape is refused") {
  for (const char* text : {"a=%", "a=%4", "a=%zz", "%=1"}) CHECK_FALSE(parse_form(text).has_value());
}

TEST_CASE("min_valid: whole seconds of at most a year") {
  CHECK(parse_min_valid("0") == std::chrono::seconds{0});
  CHECK(parse_min_valid("31536000") == std::chrono::seconds{31'536'000});
  for (const char* text : {"", "-1", "+1", "1.5", "31536001", "99999999999999999999", "1s"}) {
    CAPTURE(text);
    CHECK_FALSE(parse_min_valid(text).has_value());
  }
}
