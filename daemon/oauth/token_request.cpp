// What is not asked for is not sent: servers differ in whether an empty `scope` means none or is an error.
#include "daemon/oauth/token_request.hpp"

#include <strings.h>

#include <algorithm>

#include "daemon/oauth/client_assertion.hpp"
#include "daemon/oauth/client_secret_basic.hpp"
#include "daemon/oauth/client_secret_post.hpp"
#include "daemon/oauth/form_body.hpp"

namespace grantd::daemon {

namespace {

FormBody form_of(const Variant& variant) {
  FormBody form;
  form.add("grant_type", "client_credentials");
  if (!variant.scope.empty()) form.add("scope", scope_text(variant));
  for (const std::string& resource : variant.resource) form.add("resource", resource);
  if (!variant.audience.empty()) form.add("audience", variant.audience);
  for (const auto& [name, value] : variant.parameters) form.add(name, value);
  return form;
}

HttpRequest request_with(const config::ClientSettings& client, FormBody form) {
  HttpRequest request{.url = client.token_endpoint,
                      .headers = client.headers,
                      .body = form.take(),
                      .content_type = "application/x-www-form-urlencoded"};
  // Without it some servers answer errors as HTML. A definition that names another type means it.
  const bool has_accept = std::ranges::any_of(
      client.headers, [](const auto& header) { return ::strcasecmp(header.first.c_str(), "Accept") == 0; });
  if (!has_accept) request.headers.emplace_back("Accept", "application/json");
  return request;
}

}  // namespace

std::string scope_text(const Variant& variant) {
  std::string text;
  for (const std::string& scope : variant.scope) {
    if (!text.empty()) text += ' ';
    text += scope;
  }
  return text;
}

HttpRequest token_request(const config::ClientSettings& client, const Variant& variant,
                          const common::Secret& secret) {
  FormBody form = form_of(variant);
  // The configuration admits no other method yet.
  if (client.auth_method == config::AuthMethod::client_secret_post) {
    add_client_secret_post(form, client.client_id, secret);
    return request_with(client, std::move(form));
  }
  HttpRequest request = request_with(client, std::move(form));
  request.authorization = basic_credentials(client.client_id, secret, client.authorization_header_style);
  return request;
}

HttpRequest token_request_with_assertion(const config::ClientSettings& client, const Variant& variant,
                                         const common::Secret& assertion) {
  FormBody form = form_of(variant);
  add_client_assertion(form, client.client_id, assertion);
  return request_with(client, std::move(form));
}

}  // namespace grantd::daemon
