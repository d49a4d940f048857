#pragma once

#include <chrono>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "common/error.hpp"
#include "common/secret.hpp"
#include "daemon/catalog/catalog.hpp"
#include "daemon/loop/loop.hpp"

namespace grantd::daemon {

/// What a caller said it wants: the members of a `TokenRequest`, from a query, a JSON body or `Grantd-*`
/// headers. An empty value counts as absent.
struct CallerRequest {
  std::string scope{};  // space-separated
  std::vector<std::string> resource{};
  std::string audience{};
  std::map<std::string, std::string> parameters{};
  common::Secret assertion{};
  std::optional<std::chrono::seconds> min_valid{};
  bool force_renewal = false;
  std::string rejected{};
};

/// What it gets to ask the cache.
struct GrantedRequest {
  TokenQuery query{};
  common::Secret assertion{};
};

/// Holds a caller's wishes against the definition: `allow_overrides`, subsets of the configured scopes and
/// resources (the API's where `api` is given), reserved parameter names, characters (RFC 6749 section 3.3,
/// RFC 8707 section 2). Whether the caller may use the definition at all was decided before. Errors:
/// `invalid_request`, `access_denied`.
common::Result<GrantedRequest> grant_request(const CatalogClient& client, const CatalogApi* api,
                                             CallerRequest request, uid_t uid);

/// The token for a granted request if it need not be waited for; nothing: ask `obtain_token`.
std::optional<HandoutResult> token_at_once(CatalogClient& client, const GrantedRequest& request);
/// The token for a granted request; suspends the caller where it must wait. `client` is kept alive meanwhile.
awaitable<HandoutResult> obtain_token(std::shared_ptr<CatalogClient> client, GrantedRequest request);

/// Parsing shared by query strings, `Grantd-Parameters` and the like (application/x-www-form-urlencoded):
/// names and values in order, decoded. Error: `invalid_request` for a broken escape.
common::Result<std::vector<std::pair<std::string, std::string>>> parse_form(std::string_view text);

/// `min_valid` in whole seconds, 0 to 31536000. Error: `invalid_request`.
common::Result<std::chrono::seconds> parse_min_valid(std::string_view text);

}  // namespace grantd::daemon
