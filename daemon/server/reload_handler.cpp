// The caller waits until the new configuration is in force or refused, so that a deployment notices a bad
// file.
#include "daemon/server/reload_handler.hpp"

#include <nlohmann/json.hpp>

#include "common/local_api.hpp"
#include "daemon/server/problem.hpp"

namespace grantd::daemon {

using common::Error;
using common::ErrorCode;

namespace {

LocalResponse configuration_problem(const std::vector<config::ConfigError>& errors) {
  const Error error{.code = ErrorCode::invalid_configuration,
                    .detail = "the configuration in force stays; errors: " + std::to_string(errors.size())};
  auto document = problem_document(error);
  auto& list = document["errors"] = nlohmann::ordered_json::array();
  for (const config::ConfigError& one : errors) {
    list.push_back({{"file", one.file.native()},
                    {"line", one.line},
                    {"column", one.column},
                    {"key", one.key},
                    {"message", one.message}});
  }
  return problem_response(document, error);
}

}  // namespace

awaitable<void> ReloadHandler::handle(Exchange& exchange) {
  LocalResponse response{.status = 204, .content_type = {}};
  if (!catalog_.now->admins.admits(exchange.peer(), timers_.now())) {
    audit_.refused(exchange.peer(), {"route", local_api::reload_path});
    response = problem_response({.code = ErrorCode::access_denied,
                                 .detail = "only the users in admin_users may reload the configuration"});
  } else {
    const ReloadResult result = co_await reload_();
    if (!result) response = configuration_problem(result.error());
  }
  co_await exchange.respond(std::move(response));
}

}  // namespace grantd::daemon
