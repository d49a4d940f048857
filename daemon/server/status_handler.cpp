// What service managers and monitoring ask. Not being ready is a state rather than one of the API's errors,
// so its problem document has no code of its own (RFC 9457 section 4.2.1).
#include "daemon/server/status_handler.hpp"

#include <nlohmann/json.hpp>
#include <string>
#include <utility>

#include "common/local_api.hpp"
#include "daemon/server/problem.hpp"

namespace grantd::daemon {

awaitable<void> respond_with_metrics(Exchange& exchange, const Scrape& scrape) {
  auto text = co_await scrape();
  LocalResponse response{.content_type = "text/plain; version=0.0.4", .shared_body = std::move(text)};
  co_await exchange.respond(std::move(response));
}

awaitable<void> respond_alive(Exchange& exchange) {
  return exchange.respond(json_response({{"status", "ok"}}));
}

awaitable<void> respond_readiness(Exchange& exchange, bool ready) {
  if (ready) return exchange.respond(json_response({{"status", "ready"}}));
  const nlohmann::ordered_json document{{"type", "about:blank"},
                                        {"title", "Service Unavailable"},
                                        {"status", 503},
                                        {"detail", "not every client with prefetch has had a token yet"}};
  return exchange.respond(
      {.status = 503, .content_type = local_api::problem_content_type, .body = document.dump()});
}

}  // namespace grantd::daemon
