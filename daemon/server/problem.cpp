// Errors become problem documents here and nowhere else. Names in them come from callers and may be any
// bytes, so what is no UTF-8 is replaced.
#include "daemon/server/problem.hpp"

#include "common/local_api.hpp"

namespace grantd::daemon {

using nlohmann::ordered_json;

ordered_json problem_document(const common::Error& error, std::string_view client, std::string_view api) {
  const std::string code{name(error.code)};
  ordered_json document{{"type", std::string{local_api::problem_type_prefix} + code},
                        {"title", title(error.code)},
                        {"status", http_status(error.code)},
                        {"detail", error.detail.empty() ? title(error.code) : std::string_view{error.detail}},
                        {"code", code}};
  if (!client.empty()) document["client"] = client;
  if (!api.empty()) document["api"] = api;
  if (!error.oauth_error.empty()) document["oauth_error"] = error.oauth_error;
  if (!error.oauth_error_description.empty())
    document["oauth_error_description"] = error.oauth_error_description;
  if (error.retry_after) document["retry_after"] = error.retry_after->count();
  return document;
}

LocalResponse problem_response(const ordered_json& document, const common::Error& error) {
  LocalResponse response{.status = http_status(error.code),
                         .content_type = local_api::problem_content_type,
                         .body = document.dump(-1, ' ', false, ordered_json::error_handler_t::replace)};
  if (error.retry_after) {
    response.extra_headers = "Retry-After: " + std::to_string(error.retry_after->count()) + "\r\n";
  }
  return response;
}

LocalResponse problem_response(const common::Error& error, std::string_view client, std::string_view api) {
  return problem_response(problem_document(error, client, api), error);
}

LocalResponse json_response(const ordered_json& document) {
  return {.body = document.dump(-1, ' ', false, ordered_json::error_handler_t::replace)};
}

LocalResponse method_not_allowed(std::string_view allowed) {
  const common::Error error{.code = common::ErrorCode::method_not_allowed,
                            .detail = "this path takes only " + std::string{allowed}};
  LocalResponse response = problem_response(error);
  response.extra_headers = "Allow: " + std::string{allowed} + "\r\n";
  return response;
}

}  // namespace grantd::daemon
