// What `grantctl status` shows. Never a secret or a token: nothing of a definition is told but its name and
// scope.
#include "daemon/server/clients_handler.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <vector>

#include "daemon/server/problem.hpp"

namespace grantd::daemon {
namespace {

using common::Error;
using common::ErrorCode;
using nlohmann::ordered_json;

ordered_json seconds_or_null(const std::optional<std::chrono::seconds>& seconds) {
  return seconds ? ordered_json(seconds->count()) : ordered_json(nullptr);
}

ordered_json error_or_null(const std::optional<Error>& error) {
  if (!error) return nullptr;
  ordered_json document{{"code", name(error->code)}, {"detail", error->detail}};
  if (!error->oauth_error.empty()) document["oauth_error"] = error->oauth_error;
  if (!error->oauth_error_description.empty())
    document["oauth_error_description"] = error->oauth_error_description;
  return document;
}

ordered_json describe(const CatalogClient& client) {
  const CacheStatus status = client.tokens->status();
  std::string scope;
  for (const std::string& one : client.settings->scope) scope.append(scope.empty() ? "" : " ").append(one);
  return {{"name", client.settings->name},
          {"state", name(status.state)},
          {"scope", scope},
          {"expires_in", seconds_or_null(status.expires_in)},
          {"renews_in", seconds_or_null(status.renews_in)},
          {"served", status.served},
          {"fetched", status.fetched},
          {"last_error", error_or_null(status.last_error)}};
}

}  // namespace

awaitable<void> ClientsHandler::list(Exchange& exchange) {
  const auto catalog = catalog_.now;
  const auto now = timers_.now();
  const bool sees_all = catalog->admins.admits(exchange.peer(), now);
  std::vector<CatalogClient*> seen;
  for (const auto& [_, client] : catalog->clients) {
    if (sees_all || client->access.admits(exchange.peer(), now)) seen.push_back(client.get());
  }
  std::ranges::sort(seen, {},
                    [](const CatalogClient* client) -> const std::string& { return client->settings->name; });
  ordered_json clients = ordered_json::array();
  for (const CatalogClient* client : seen) clients.push_back(describe(*client));
  ordered_json document{{"clients", std::move(clients)}};
  if (const auto shared = shared_cache_()) {
    // The error may name files and addresses of the whole daemon.
    const bool told = sees_all && !shared->last_error.empty();
    document["shared_cache"] = {
        {"state", name(shared->state)},
        {"last_error", told ? ordered_json(shared->last_error) : ordered_json(nullptr)}};
  }
  return exchange.respond(json_response(document));
}

awaitable<void> ClientsHandler::show(Exchange& exchange, std::string_view name) {
  const auto catalog = catalog_.now;
  const auto now = timers_.now();
  CatalogClient* const client = catalog->client(name);
  if (client == nullptr) {
    const Error error{.code = ErrorCode::unknown_client, .detail = "no client definition has this name"};
    return exchange.respond(problem_response(error, name));
  }
  if (!client->access.admits(exchange.peer(), now) && !catalog->admins.admits(exchange.peer(), now)) {
    audit_.refused(exchange.peer(), {"client", name});
    const Error error{.code = ErrorCode::access_denied, .detail = "the definition does not admit this user"};
    return exchange.respond(problem_response(error, name));
  }
  return exchange.respond(json_response(describe(*client)));
}

}  // namespace grantd::daemon
