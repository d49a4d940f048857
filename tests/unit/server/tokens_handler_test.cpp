#include <doctest/doctest.h>

#include <functional>
#include <utility>

#include "tests/unit/server/local_api_fixture.hpp"

namespace grantd::tests {
namespace {

using namespace std::chrono_literals;
using config::Override;
using Memory = FetchError::Memory;

constexpr const char* path = "/v1/tokens/catalog.client";

TEST_CASE("tokens: the first caller waits for the server and the next gets the same token at once") {
  LocalApiFixture f;
  auto& definition = f.add("catalog.client");
  Caller waiting{f.server};
  waiting.send(get(path));
  REQUIRE(definition.server->requests == 1);
  definition.server->succeed("to\"ken", 300s);
  const Answer first = waiting.receive();
  CHECK(first.status == 200);
  CHECK(first.has("Cache-Control: no-store\r\n"));
  CHECK(first.has("Content-Type: application/json\r\n"));
  const auto document = LocalApiFixture::document(first);
  CHECK(document.at("access_token") == "to\"ken");
  CHECK(document.at("token_type") == "Bearer");
  CHECK(document.at("expires_in") == 300);
  CHECK(document.at("expires_at") == "2026-01-01T00:05:00Z");
  CHECK(document.at("client") == "catalog.client");
  CHECK(document.at("version") == "v-to\"ken");
  CHECK(document.contains("scope"));
  CHECK(document.size() == 7);

  f.server.advance(10s);
  const auto later = LocalApiFixture::document(f.ask(get(path)));
  CHECK(later.at("access_token") == "to\"ken");
  CHECK(later.at("expires_in") == 290);
  CHECK(definition.server->requests == 1);
}

TEST_CASE("tokens: HEAD and POST answer as GET does") {
  LocalApiFixture f;
  f.add("catalog.client");
  Caller waiting{f.server};
  waiting.send(post(path, ""));
  f.definitions.at("catalog.client").server->succeed("t");
  const Answer posted = waiting.receive();
  CHECK(posted.status == 200);
  CHECK(f.ask(get(path)).body == posted.body);
  Caller head{f.server};
  head.send("HEAD /v1/tokens/catalog.client HTTP/1.1\r\nHost: localhost\r\n\r\n");
  CHECK(head.receive(true).has("Content-Length: " + std::to_string(posted.body.size())));
}

TEST_CASE("tokens: a caller that goes away does not keep the token from the next one") {
  LocalApiFixture f;
  auto& definition = f.add("catalog.client");
  Caller impatient{f.server};
  impatient.send(get(path));
  impatient.close();
  definition.server->succeed("t");
  CHECK(f.server.until([&] { return f.server.server.connection_count() == 0; }));
  CHECK(f.ask(get(path)).status == 200);
  CHECK(definition.server->requests == 1);
}

TEST_CASE("tokens: who may have one is decided before anything is asked of the server") {
  LocalApiFixture f;
  f.add("closed", [](auto& settings) { settings.access.users = std::vector<std::string>{}; });
  f.add("hidden", [](auto& settings) { settings.expose_token = false; });
  const auto document = LocalApiFixture::document(f.ask(get("/v1/tokens/absent")));
  CHECK(document.at("code") == "unknown_client");
  CHECK(document.at("client") == "absent");
  CHECK(document.at("type") == "urn:grantd:error:unknown_client");
  CHECK(f.outcome(get("/v1/tokens/closed")) == "access_denied");
  CHECK(f.outcome(post("/v1/tokens/closed", "{}")) == "access_denied");
  CHECK(f.outcome("DELETE /v1/tokens/closed HTTP/1.1\r\nHost: localhost\r\n\r\n") == "access_denied");
  CHECK(f.outcome(get("/v1/tokens/hidden")) == "access_denied");
  CHECK(f.outcome(post("/v1/tokens/hidden", "")) == "access_denied");
  CHECK(f.server.log.has("event=access_denied client=closed pid="));
  CHECK(f.definitions.at("closed").server->requests + f.definitions.at("hidden").server->requests == 0);
}

TEST_CASE("tokens: names in the path may be percent-encoded") {
  LocalApiFixture f;
  f.add("catalog.client");
  CHECK(LocalApiFixture::document(f.ask(get("/v1/tokens/a%2fb%"))).at("client") == "a/b%");
  CHECK(LocalApiFixture::document(f.ask(get("/v1/tokens/%ff"))).at("client") == "\xef\xbf\xbd");
  CHECK(f.outcome("PUT /v1/tokens/catalog%2Eclient HTTP/1.1\r\nHost: localhost\r\n\r\n") ==
        "method_not_allowed");
  Caller waiting{f.server};
  waiting.send(get("/v1/tokens/catalog%2Eclient"));
  CHECK(f.definitions.at("catalog.client").server->requests == 1);
  f.definitions.at("catalog.client").server->succeed("t");
  CHECK(waiting.receive().status == 200);
}

TEST_CASE("tokens: what a caller wishes for reaches the server where it may") {
  LocalApiFixture f;
  auto& definition = f.add("catalog.client", [](auto& settings) {
    settings.allow_overrides = {Override::resource, Override::audience, Override::parameters};
  });
  Caller by_query{f.server};
  by_query.send(
      get("/v1/tokens/catalog.client?scope=two&resource=urn%3Aa&resource=urn:b&audience=x+y&min_valid="));
  REQUIRE(definition.server->requests == 1);
  const Variant asked = definition.server->variants.back();
  CHECK(asked.scope == std::vector<std::string>{"two"});
  CHECK(asked.resource == std::vector<std::string>{"urn:a", "urn:b"});
  CHECK(asked.audience == "x y");
  Caller by_body{f.server};
  by_body.send(
      post(path, R"({"scope":"two","resource":["urn:b","urn:a"],"audience":"x y","parameters":{}})"));
  CHECK(definition.server->requests == 1);  // the same variant
  definition.server->succeed("t");
  CHECK(by_query.receive().status == 200);
  CHECK(by_body.receive().status == 200);
  CHECK(f.outcome(get("/v1/tokens/catalog.client?scope=three")) == "access_denied");
}

TEST_CASE("tokens: a query with anything else is refused by name") {
  LocalApiFixture f;
  f.add("catalog.client");
  for (const auto* query : {"scopes=a", "scope=one&scope=two", "min_valid=1.5", "min_valid=-1", "rejected=v",
                            "audience=%zz", "min_valid=1&min_valid=1", "force_renewal=true"}) {
    CAPTURE(query);
    CHECK(f.outcome(get(std::string{"/v1/tokens/catalog.client?"} + query)) == "invalid_request");
  }
  CHECK(f.ask(get("/v1/tokens/catalog.client?scopes=a")).body.find("scopes") != std::string::npos);
  CHECK(f.outcome(post("/v1/tokens/catalog.client?scope=one", "{}")) == "invalid_request");
  CHECK(f.definitions.at("catalog.client").server->requests == 0);
}

TEST_CASE("tokens: a body over 64 KiB is refused, however it is framed") {
  LocalApiFixture f;
  f.add("catalog.client");
  const std::string body = R"({"scope":")" + std::string(64 * 1024, 'x') + R"("})";
  CHECK(f.outcome(post(path, body)) == "payload_too_large");
  char size[16];
  std::snprintf(size, sizeof size, "%zx", body.size());
  CHECK(f.outcome(std::string{"POST "} + path +
                  " HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n" + size + "\r\n" +
                  body + "\r\n0\r\n\r\n") == "payload_too_large");
}

TEST_CASE("tokens: an error of the authorization server is told with its code and when to try again") {
  LocalApiFixture f;
  auto& definition = f.add("catalog.client");
  Caller waiting{f.server};
  waiting.send(get(path));
  definition.server->fail(Memory::transient, common::ErrorCode::authorization_server_unavailable, 7s);
  CHECK(waiting.receive().status == 503);
  const Answer answer = f.ask(get(path));  // the error is remembered for as long
  CHECK(answer.status == 503);
  const auto document = LocalApiFixture::document(answer);
  CHECK(document.at("client") == "catalog.client");
  REQUIRE(document.contains("retry_after"));
  CHECK(answer.has("Retry-After: " + std::to_string(document.at("retry_after").get<int>()) + "\r\n"));
}

TEST_CASE("tokens: DELETE drops one variant or all of them") {
  LocalApiFixture f;
  auto& definition = f.add("catalog.client", [](auto& settings) { settings.max_provoked_requests = 3; });
  const auto erase = [](const std::string& query) {
    return "DELETE /v1/tokens/catalog.client" + query + " HTTP/1.1\r\nHost: localhost\r\n\r\n";
  };
  const auto fetches = [&](const std::string& query) {
    const int before = definition.server->requests;
    Caller caller{f.server};
    caller.send(get(path + query));
    const bool fetched = definition.server->requests > before;
    if (fetched) definition.server->succeed("t" + std::to_string(before));
    CHECK(caller.receive().status == 200);
    return fetched;
  };
  CHECK(fetches(""));
  CHECK(fetches("?scope=one"));
  const Answer answer = f.ask(erase("?scope=one"));
  CHECK(answer.status == 204);
  CHECK_FALSE(answer.has("Content-Type"));
  CHECK_FALSE(fetches(""));
  CHECK(f.outcome(erase("?min_valid=1")) == "invalid_request");
  CHECK(f.ask(erase("")).status == 204);
  CHECK(f.outcome(erase("")) == "too_many_requests");
}

/// A POST whose body has come but for its last byte, and what becomes of it when that comes, too, after
/// `meanwhile`.
std::string outcome_of_late_body(LocalApiFixture& f, const std::string& target, const std::string& body,
                                 const std::function<void()>& meanwhile) {
  Caller caller{f.server};
  caller.send("POST " + target + " HTTP/1.1\r\nHost: localhost\r\nContent-Length: " +
              std::to_string(body.size()) + "\r\n\r\n" + body.substr(0, body.size() - 1));
  f.server.settle();
  meanwhile();
  caller.send(body.substr(body.size() - 1));
  return LocalApiFixture::document(caller.receive()).value("code", "");
}

TEST_CASE("tokens: the rules that hold when a request is whole decide, not those of its beginning") {
  LocalApiFixture f;
  const auto& definition = f.add("catalog.client");
  const auto withdraw = [&] {
    definition.client->access = AccessPolicy{{.users = {{"4711"}}, .groups = {}}, system_accounts()};
  };
  const auto permit = [&] { definition.client->access = AccessPolicy{{}, system_accounts()}; };
  const std::string proof = R"({"method":"GET","url":"https://x.example/","version":"v"})";
  for (const auto& [target, body] : {std::pair{std::string{path}, std::string{"{}"}},
                                     std::pair{std::string{path} + "/page", std::string{"{}"}},
                                     std::pair{std::string{"/v1/dpop/catalog.client"}, proof}}) {
    CAPTURE(target);
    permit();
    CHECK(outcome_of_late_body(f, target, body, withdraw) == "access_denied");
    permit();
    CHECK(outcome_of_late_body(f, target, body, [&] { f.catalog.now->clients.clear(); }) == "unknown_client");
    f.catalog.now->clients["catalog.client"] = definition.client;
  }
  CHECK(definition.server->requests == 0);
}

TEST_CASE("tokens: a body that takes longer than a minute is given up, however lively it comes") {
  LocalApiFixture f;
  f.add("catalog.client");
  Caller caller{f.server};
  caller.send("POST " + std::string{path} + " HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n");
  for (int i = 0; i < 8; ++i) {
    caller.send(" ");
    f.server.advance(10s);
  }
  const Answer answer = caller.receive();
  CHECK(answer.status == 408);
  CHECK(LocalApiFixture::document(answer).at("code") == "request_timeout");
}

TEST_CASE("tokens: every refusal is in the audit log") {
  LocalApiFixture f;
  f.add("closed", [](auto& settings) { settings.access.users = {"4711"}; });
  f.add("open");
  CHECK(f.outcome(get("/v1/clients/closed")) == "access_denied");
  CHECK(f.server.log.count("event=access_denied client=closed") == 1);
  CHECK(f.outcome("DELETE /v1/tokens/open?scope=three HTTP/1.1\r\nHost: localhost\r\n\r\n") ==
        "access_denied");
  CHECK(f.server.log.count("event=access_denied client=open") == 1);
}

}  // namespace
}  // namespace grantd::tests
