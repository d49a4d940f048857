// Tells what there is to call, and nothing about how: headers and parameters of a definition may be secret.
#include "daemon/server/apis_handler.hpp"

#include <nlohmann/json.hpp>

#include "daemon/server/problem.hpp"

namespace grantd::daemon {

using nlohmann::ordered_json;

awaitable<void> ApisHandler::list(Exchange& exchange) {
  const auto catalog = catalog_.now;
  const auto now = timers_.now();
  ordered_json apis = ordered_json::array();
  for (const auto& [name, api] : catalog->apis) {
    if (!api->admits(exchange.peer(), now)) continue;
    apis.push_back({{"name", api->settings->name},
                    {"client", api->settings->client},
                    {"base_url", api->settings->base_url.text}});
  }
  return exchange.respond(json_response({{"apis", std::move(apis)}}));
}

}  // namespace grantd::daemon
