// What is not asked for is not sent: servers differ in whether an empty `scope` means none or is an error.
#include "daemon/oauth/token_request.hpp"

#include <algorithm>

#include "common/ascii.hpp"

namespace grantd::daemon {

std::string scope_text(const Variant& variant) {
  std::string text;
  for (const std::string& scope : variant.scope) {
    if (!text.empty()) text += ' ';
    text += scope;
  }
  return text;
}

FormBody token_form(const Variant& variant) {
  FormBody form;
  form.add("grant_type", "client_credentials");
  if (!variant.scope.empty()) form.add("scope", scope_text(variant));
  for (const std::string& resource : variant.resource) form.add("resource", resource);
  if (!variant.audience.empty()) form.add("audience", variant.audience);
  for (const auto& [name, value] : variant.parameters) form.add(name, value);
  return form;
}

HttpRequest token_request(const config::Url& endpoint, const HttpHeaders& headers, FormBody form,
                          common::Secret authorization) {
  HttpRequest request{.url = endpoint,
                      .headers = headers,
                      .authorization = std::move(authorization),
                      .body = form.take(),
                      .content_type = "application/x-www-form-urlencoded"};
  // Without it some servers answer errors as HTML. A definition that names another type means it.
  const bool has_accept = std::ranges::any_of(
      headers, [](const auto& header) { return ascii::equal_ignoring_case(header.first, "Accept"); });
  if (!has_accept) request.headers.emplace_back("Accept", "application/json");
  return request;
}

}  // namespace grantd::daemon
