// Everything behind the routes is real save the authorization server.
#include "tests/unit/server/local_api_fixture.hpp"

#include <doctest/doctest.h>
#include <unistd.h>

namespace grantd::tests {

LocalApiFixture::LocalApiFixture() {
  catalog.now = std::make_shared<Catalog>(
      Catalog{.clients = {}, .apis = {}, .admins = AccessPolicy::for_users({}, system_accounts())});
  router = std::make_unique<Router>(
      RouterParts{.timers = server.loop.timers(),
                  .entropy = entropy,
                  .log = server.log,
                  .catalog = catalog,
                  .audit = audit,
                  .apis = apis,
                  .doctor = doctor,
                  .reload = [this]() -> awaitable<ReloadResult> {
                    ++reloads;
                    co_return reload_result;
                  },
                  .metrics = [this]() -> awaitable<std::shared_ptr<const std::string>> {
                    co_return std::make_shared<const std::string>(server.metrics.collect()());
                  },
                  .ready = [this] { return ready; },
                  .shared_cache = [this] { return shared_cache; }});
  root.answer = [this](Exchange& exchange) { return router->handle(exchange); };
}

LocalApiFixture::~LocalApiFixture() {
  definitions.clear();
  catalog.now.reset();
}

LocalApiFixture::Definition& LocalApiFixture::add(
    const std::string& name, const std::function<void(config::ClientSettings&)>& change) {
  auto settings = std::make_shared<config::ClientSettings>();
  settings->name = name;
  settings->scope = {"one", "two"};
  if (change) change(*settings);
  const Variant variant{
      .scope = settings->scope, .resource = settings->resource, .audience = settings->audience};
  auto fetcher = std::make_shared<ScriptedFetcher>();
  const CacheRules rules{
      .client = name, .max_provoked_requests = settings->max_provoked_requests, .configured = {variant}};
  auto tokens = std::make_shared<TokenCache>(
      rules, fetcher, CacheParts{server.loop.timers(), entropy, server.log, client_metrics});
  auto client = std::make_shared<CatalogClient>(settings, tokens,
                                                AccessPolicy{settings->access, system_accounts()}, variant);
  catalog.now->clients[name] = client;
  return definitions[name] = Definition{settings, fetcher, client};
}

void LocalApiFixture::add_api(const std::string& name, const std::string& client) {
  auto settings = std::make_shared<config::ApiSettings>();
  settings->name = name;
  settings->client = client;
  settings->base_url.text = "https://" + name + ".example/base";
  const auto& definition = definitions.at(client).client;
  catalog.now->apis[name] = std::make_shared<CatalogApi>(CatalogApi{
      settings, definition, AccessPolicy{settings->access, system_accounts()}, definition->variant, nullptr});
}

void LocalApiFixture::allow_admin(bool self) {
  const std::vector<std::string> users =
      self ? std::vector{std::to_string(::getuid())} : std::vector<std::string>{};
  catalog.now->admins = AccessPolicy::for_users(users, system_accounts());
}

std::string LocalApiFixture::outcome(const std::string& request) {
  const Answer answer = ask(request);
  const auto parsed = document(answer);
  if (!answer.has("application/problem+json")) return std::to_string(answer.status);
  REQUIRE(parsed.at("status") == answer.status);
  return parsed.value("code", "none");
}

}  // namespace grantd::tests
