#pragma once

#include <nlohmann/json.hpp>

#include "daemon/server/router.hpp"
#include "tests/fakes/fixed_entropy.hpp"
#include "tests/fakes/scripted_fetcher.hpp"
#include "tests/unit/server/server_fixture.hpp"

namespace grantd::tests {

/// Says where a request for an API would have gone.
class RecordingApis final : public ApiHandler {
 public:
  awaitable<void> handle(Exchange& exchange, std::string_view api, std::string_view target) override {
    return exchange.respond({.body = std::string{api} + " " + std::string{target}});
  }
};

/// The local API with definitions that a test adds, whose authorization server the test plays.
/// Tells the steps that a test puts here.
class ScriptedDoctor final : public Doctor {
 public:
  awaitable<void> examine(std::shared_ptr<const config::ClientSettings> client, Tell tell) override {
    examined.push_back(client->name);
    for (DoctorStep step : steps) {
      const bool listening = co_await tell(std::move(step));
      if (!listening) co_return;
    }
  }
  std::vector<DoctorStep> steps{};
  std::vector<std::string> examined{};
};

struct LocalApiFixture {
  struct Definition {
    std::shared_ptr<config::ClientSettings> settings;
    std::shared_ptr<ScriptedFetcher> server;
    std::shared_ptr<CatalogClient> client;
  };

  LocalApiFixture();
  /// The caches go before the loop whose timers they use.
  ~LocalApiFixture();

  /// A definition with the scopes "one" and "two"; `change` adjusts it before it is in force.
  Definition& add(const std::string& name, const std::function<void(config::ClientSettings&)>& change = {});
  void add_api(const std::string& name, const std::string& client);
  void allow_admin(bool self);

  Answer ask(const std::string& request) { return Caller{server}.ask(request); }
  /// The answer's `code` member, or its status where it is no problem.
  std::string outcome(const std::string& request);
  static nlohmann::json document(const Answer& answer) {
    return nlohmann::json::parse(answer.body, nullptr, false);
  }

  daemon::ClientMetrics client_metrics;
  FixedEntropy entropy;
  CurrentCatalog catalog;
  RecordingApis apis;
  ScriptedDoctor doctor;
  ReloadResult reload_result;
  int reloads = 0;
  bool ready = true;
  std::optional<daemon::SharedCacheStatus> shared_cache;
  std::unique_ptr<Router> router;
  FunctionHandler root;
  ServerFixture server{&root};
  AuditLog audit{server.loop.timers(), server.log, [](AuditLog::Event, bool) {}};
  std::map<std::string, Definition> definitions;
};

}  // namespace grantd::tests
