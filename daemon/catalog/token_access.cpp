// The one place that decides what a caller may ask for beyond the definition, for the token routes and the
// proxy alike.
#include "daemon/catalog/token_access.hpp"

#include <algorithm>

#include "common/ascii.hpp"
#include "daemon/catalog/request_syntax.hpp"
#include "daemon/loop/await_done.hpp"

namespace grantd::daemon {

using common::ErrorCode;
using common::fail;
using common::Result;
using config::Override;

namespace {

constexpr std::size_t longest_assertion = 16 * 1024;

// A definition that names none leaves the choice to the server, so every named one would be an extension.
bool is_subset(const std::vector<std::string>& asked, const std::vector<std::string>& configured) {
  return std::ranges::includes(configured, asked);
}

std::unexpected<common::Error> not_allowed(const config::ClientSettings& client, std::string_view what) {
  return fail(ErrorCode::access_denied, "the definition \"" + client.name + "\" does not let callers set " +
                                            std::string{what} +
                                            "; its allow_overrides would have to name it");
}

Result<void> apply_lists(const CatalogClient& client, const CallerRequest& request, Variant& variant) {
  const auto& settings = *client.settings;
  auto scope = parse_scope(request.scope);
  if (!scope) return std::unexpected(std::move(scope.error()));
  if (!scope->empty()) {
    if (!is_subset(*scope, variant.scope) && !settings.allows(Override::scope)) {
      return not_allowed(settings, "a scope that is not configured");
    }
    variant.scope = std::move(*scope);
  }
  auto resource = parse_resources(request.resource);
  if (!resource) return std::unexpected(std::move(resource.error()));
  if (!resource->empty()) {
    if (!is_subset(*resource, variant.resource) && !settings.allows(Override::resource)) {
      return not_allowed(settings, "a resource that is not configured");
    }
    variant.resource = std::move(*resource);
  }
  return {};
}

Result<void> apply_audience(const config::ClientSettings& settings, std::string audience, Variant& variant) {
  if (audience.empty() || audience == variant.audience) return {};
  if (!std::ranges::all_of(audience, ascii::is_printable)) {
    return fail(ErrorCode::invalid_request, "audience may only hold printable ASCII characters");
  }
  if (!settings.allows(Override::audience))
    return not_allowed(settings, "an audience that is not configured");
  variant.audience = std::move(audience);
  return {};
}

Result<void> apply_parameters(const config::ClientSettings& settings,
                              std::map<std::string, std::string> parameters, Variant& variant) {
  for (auto& [name, value] : parameters) {
    if (name.empty() || is_reserved_parameter(name)) {
      return fail(
          ErrorCode::invalid_request,
          "parameters must not hold an empty name or one that a token request itself defines, such as "
          "grant_type or client_id");
    }
    const auto configured = variant.parameters.find(name);
    if (configured != variant.parameters.end() && configured->second == value) continue;
    if (!settings.allows(Override::parameters)) return not_allowed(settings, "parameters");
    variant.parameters[name] = std::move(value);
  }
  return {};
}

}  // namespace

Result<GrantedRequest> grant_request(const CatalogClient& client, const CatalogApi* api,
                                     CallerRequest request, uid_t uid) {
  const auto& settings = *client.settings;
  GrantedRequest granted{.query = {.variant = api != nullptr ? api->variant : client.variant,
                                   .min_valid = request.min_valid,
                                   .force_renewal = request.force_renewal,
                                   .rejected = std::move(request.rejected),
                                   .uid = uid}};
  Variant& variant = granted.query.variant;
  if (auto applied = apply_lists(client, request, variant); !applied) return std::unexpected(applied.error());
  if (auto applied = apply_audience(settings, std::move(request.audience), variant); !applied) {
    return std::unexpected(applied.error());
  }
  if (auto applied = apply_parameters(settings, std::move(request.parameters), variant); !applied) {
    return std::unexpected(applied.error());
  }
  if (!request.assertion.empty()) {
    const auto assertion = request.assertion.reveal();
    if (assertion.size() > longest_assertion || !std::ranges::all_of(assertion, ascii::is_visible)) {
      return fail(ErrorCode::invalid_request,
                  "assertion must be at most 16384 characters of printable ASCII");
    }
    if (!settings.allows(Override::assertion)) return not_allowed(settings, "an assertion");
    granted.assertion = std::move(request.assertion);
  }
  return granted;
}

std::optional<HandoutResult> token_at_once(CatalogClient& client, const GrantedRequest& request) {
  if (!request.assertion.empty()) return std::nullopt;
  return client.tokens->get_now(request.query);
}

awaitable<HandoutResult> obtain_token(std::shared_ptr<CatalogClient> client, GrantedRequest request) {
  TokenCache& tokens = *client->tokens;
  if (auto at_once = token_at_once(*client, request)) co_return std::move(*at_once);
  auto ask = [&tokens, &request](auto done) {
    if (request.assertion.empty()) {
      tokens.get(std::move(request.query), std::move(done));
    } else {
      tokens.get_with_assertion(request.query, std::move(request.assertion), std::move(done));
    }
  };
  co_return co_await await_done<HandoutResult>(std::move(ask));
}

}  // namespace grantd::daemon
