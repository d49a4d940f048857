#include <doctest/doctest.h>

#include "tests/unit/server/local_api_fixture.hpp"

namespace grantd::tests {
namespace {

std::string request(std::string_view method, std::string_view target, std::string_view host = "localhost") {
  return std::string{method} + " " + std::string{target} + " HTTP/1.1\r\nHost: " + std::string{host} +
         "\r\n\r\n";
}

TEST_CASE("router: these hosts mean the daemon itself, every other one names an API") {
  LocalApiFixture f;
  for (const auto* host : {"", "localhost", "grantd", "LOCALHOST", "Grantd:80", "localhost:8080", ":80"}) {
    CAPTURE(host);
    CHECK(f.ask(request("GET", "/healthz", host)).body == R"({"status":"ok"})");
  }
  CHECK(f.ask("GET /healthz HTTP/1.0\r\n\r\n").status == 200);
  CHECK(f.ask(request("GET", "/healthz?a=b", "Invoices:443")).body == "Invoices /healthz?a=b");
  CHECK(f.ask(request("GET", "/v1/tokens/x", "localhost.localdomain")).body ==
        "localhost.localdomain /v1/tokens/x");
  CHECK(f.ask(request("OPTIONS", "*", "invoices")).body == "invoices *");
}

TEST_CASE("router: the proxy's path gives API and target unchanged") {
  LocalApiFixture f;
  CHECK(f.ask(request("PUT", "/v1/proxy/invoices/a%2Fb//c?x=/y?z")).body == "invoices /a%2Fb//c?x=/y?z");
  CHECK(f.ask(request("GET", "/v1/proxy/invoices/")).body == "invoices /");
  CHECK(f.ask(request("GET", "/v1/proxy/invoices")).body == "invoices /");
  CHECK(f.ask(request("GET", "/v1/proxy/invoices?x=1")).body == "invoices /?x=1");
  CHECK(f.outcome(request("GET", "/v1/proxy/")) == "not_found");
  CHECK(f.outcome(request("GET", "/v1/proxy//x")) == "not_found");
}

TEST_CASE("router: what is no route is not found, and a route says which methods it takes") {
  LocalApiFixture f;
  for (const auto* target : {"/", "/v1", "/v1/tokens", "/v1/tokens/", "/v1/tokens/a/x", "/v1/dpop",
                             "/v1/dpop/", "/v1/dpop/a/b", "/v1/clients/", "/v1/clients//doctor",
                             "/v1/clients/a/b/doctor", "/healthz/", "/V1/apis", "/v1//apis", "/v1/apis/"}) {
    CAPTURE(target);
    CHECK(f.outcome(request("POST", target)) == "not_found");
  }
  CHECK(f.outcome(request("OPTIONS", "*")) == "not_found");
  const auto allowed = [&](std::string_view method, std::string_view target) {
    const Answer answer = f.ask(request(method, target));
    CHECK(answer.status == 405);
    const auto start = answer.head.find("Allow: ") + 7;
    return answer.head.substr(start, answer.head.find("\r\n", start) - start);
  };
  CHECK(allowed("PATCH", "/v1/tokens/a") == "GET, HEAD, POST, DELETE");
  CHECK(allowed("GET", "/v1/reload") == "POST");
  CHECK(allowed("GET", "/v1/dpop/a") == "POST");
  CHECK(allowed("GET", "/v1/clients/a/doctor") == "POST");
  for (const auto* target : {"/v1/clients", "/v1/clients/a", "/v1/apis", "/metrics", "/healthz", "/readyz"}) {
    CHECK(allowed("POST", target) == "GET, HEAD");
  }
}

TEST_CASE("router: a target in absolute form is refused") {
  LocalApiFixture f;
  CHECK(f.outcome(request("GET", "http://localhost/healthz")) == "invalid_request");
  CHECK(f.outcome(request("CONNECT", "invoices:443")) == "method_not_allowed");
}

TEST_CASE("clients: a caller sees what it may use, an administrator everything, nobody a secret") {
  LocalApiFixture f;
  auto& open = f.add("open");
  f.add("closed", [](auto& settings) { settings.access.users = std::vector<std::string>{}; });
  const auto names = [&] {
    std::vector<std::string> found;
    const auto document = LocalApiFixture::document(f.ask(get("/v1/clients")));
    for (const auto& client : document.at("clients")) found.push_back(client.at("name"));
    return found;
  };
  CHECK(names() == std::vector<std::string>{"open"});
  CHECK(f.outcome(get("/v1/clients/closed")) == "access_denied");
  CHECK(f.outcome(get("/v1/clients/absent")) == "unknown_client");
  f.allow_admin(true);
  CHECK(names() == std::vector<std::string>{"closed", "open"});
  CHECK(f.outcome(get("/v1/clients/closed")) == "200");

  auto shown = LocalApiFixture::document(f.ask(get("/v1/clients/open")));
  CHECK(shown.at("state") == "idle");
  CHECK(shown.at("scope") == "one two");
  CHECK(shown.at("expires_in").is_null());
  CHECK(shown.at("last_error").is_null());
  Caller waiting{f.server};
  waiting.send(get("/v1/tokens/open"));
  CHECK(LocalApiFixture::document(f.ask(get("/v1/clients/open"))).at("state") == "fetching");
  open.server->succeed("precious", std::chrono::seconds{300});
  CHECK(waiting.receive().status == 200);
  const Answer answer = f.ask(get("/v1/clients/open"));
  shown = LocalApiFixture::document(answer);
  CHECK(shown.at("state") == "ready");
  CHECK(shown.at("expires_in") == 300);
  CHECK(shown.at("served") == 1);
  CHECK(shown.at("fetched") == 1);
  CHECK(shown.at("renews_in").is_number());
  CHECK(answer.body.find("precious") == std::string::npos);
}

TEST_CASE("clients: the shared cache stands beside them, where there is one") {
  LocalApiFixture f;
  CHECK_FALSE(LocalApiFixture::document(f.ask(get("/v1/clients"))).contains("shared_cache"));
  f.shared_cache = daemon::SharedCacheStatus{.state = daemon::SharedCacheStatus::State::up};
  auto shown = LocalApiFixture::document(f.ask(get("/v1/clients"))).at("shared_cache");
  CHECK(shown.at("state") == "up");
  CHECK(shown.at("last_error").is_null());
  f.shared_cache =
      daemon::SharedCacheStatus{.state = daemon::SharedCacheStatus::State::down, .last_error = "no answer"};
  shown = LocalApiFixture::document(f.ask(get("/v1/clients"))).at("shared_cache");
  CHECK(shown.at("state") == "down");
  CHECK(shown.at("last_error").is_null());  // it may name what is not every caller's business
  f.allow_admin(true);
  shown = LocalApiFixture::document(f.ask(get("/v1/clients"))).at("shared_cache");
  CHECK(shown.at("last_error") == "no answer");
}

TEST_CASE("clients: a failing one shows its last error") {
  LocalApiFixture f;
  auto& definition = f.add("a");
  Caller waiting{f.server};
  waiting.send(get("/v1/tokens/a"));
  definition.server->fail(FetchError::Memory::variant, common::ErrorCode::token_request_rejected);
  CHECK(waiting.receive().status == 502);
  const auto shown = LocalApiFixture::document(f.ask(get("/v1/clients/a")));
  CHECK(shown.at("state") == "failing");
  CHECK(shown.at("last_error").at("code") == "token_request_rejected");
}

TEST_CASE("apis: a caller sees those it may use") {
  LocalApiFixture f;
  f.add("open");
  f.add("closed", [](auto& settings) { settings.access.users = std::vector<std::string>{}; });
  f.add_api("invoices", "open");
  f.add_api("orders", "closed");
  CHECK(f.ask(get("/v1/apis")).body ==
        R"({"apis":[{"name":"invoices","client":"open","base_url":"https://invoices.example/base"}]})");
}

TEST_CASE("reload: administrators alone may, and get every error of a bad configuration") {
  LocalApiFixture f;
  CHECK(f.outcome(request("POST", "/v1/reload")) == "access_denied");
  CHECK(f.reloads == 0);
  CHECK(f.server.log.has("event=access_denied route=/v1/reload"));
  f.allow_admin(true);
  CHECK(f.outcome(request("POST", "/v1/reload")) == "204");
  CHECK(f.reloads == 1);
  f.reload_result = std::unexpected(std::vector<config::ConfigError>{
      {.file = "/etc/grantd/grantd.toml",
       .line = 3,
       .column = 1,
       .key = "daemon.sockett",
       .message = "unknown key"},
      {.file = "/etc/x", .line = 4, .column = 2, .key = "clients", .message = "\xff"}});
  const Answer answer = f.ask(request("POST", "/v1/reload"));
  CHECK(answer.status == 422);
  const auto document = LocalApiFixture::document(answer);
  CHECK(document.at("code") == "invalid_configuration");
  REQUIRE(document.at("errors").size() == 2);
  CHECK(document.at("errors")[0].at("file") == "/etc/grantd/grantd.toml");
  CHECK(document.at("errors")[0].at("line") == 3);
  CHECK(document.at("errors")[0].at("column") == 1);
  CHECK(document.at("errors")[0].at("key") == "daemon.sockett");
  CHECK(document.at("errors")[0].at("message") == "unknown key");
}

TEST_CASE("status: alive, ready and measured") {
  LocalApiFixture f;
  CHECK(f.ask(get("/healthz")).status == 200);
  CHECK(f.ask(get("/readyz")).status == 200);
  f.ready = false;
  const Answer unready = f.ask(get("/readyz"));
  CHECK(unready.status == 503);
  CHECK(unready.has("application/problem+json"));
  const Answer metrics = f.ask(get("/metrics"));
  CHECK(metrics.has("Content-Type: text/plain; version=0.0.4\r\n"));
  CHECK(metrics.body.find("grantd_connections 1\n") != std::string::npos);
}

TEST_CASE("metrics address: serves the metrics and nothing else") {
  MetricsOnlyHandler handler{[]() -> awaitable<std::shared_ptr<const std::string>> {
    co_return std::make_shared<const std::string>("up 1\n");
  }};
  ServerFixture f{&handler};
  CHECK(Caller{f}.ask(request("GET", "/metrics", "metrics.example:9464")).status == 200);
  CHECK(Caller{f}.ask(request("POST", "/metrics")).status == 405);
  CHECK(Caller{f}.ask(request("GET", "/v1/tokens/a")).status == 404);
  CHECK(Caller{f}.ask(request("GET", "/healthz")).status == 404);
}

}  // namespace
}  // namespace grantd::tests
