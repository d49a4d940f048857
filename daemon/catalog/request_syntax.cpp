// What callers may write at all, before anybody asks whether they may have it.
#include "daemon/catalog/request_syntax.hpp"

#include <algorithm>
#include <array>

#include "common/syntax.hpp"

namespace grantd::daemon {

using common::ErrorCode;
using common::fail;

namespace {

void sort_unique(std::vector<std::string>& list) {
  std::ranges::sort(list);
  const auto rest = std::ranges::unique(list);
  list.erase(rest.begin(), rest.end());
}

}  // namespace

common::Result<std::vector<std::string>> parse_scope(std::string_view text) {
  std::vector<std::string> scopes;
  while (!text.empty()) {
    const auto end = std::min(text.find(' '), text.size());
    if (const auto scope = text.substr(0, end); !scope.empty()) {
      if (!std::ranges::all_of(scope, syntax::is_scope_character)) {
        return fail(ErrorCode::invalid_request,
                    "scope holds a character that RFC 6749 does not allow; separate scopes by single spaces");
      }
      scopes.emplace_back(scope);
    }
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  sort_unique(scopes);
  return scopes;
}

common::Result<std::vector<std::string>> parse_resources(const std::vector<std::string>& resources) {
  std::vector<std::string> list;
  for (const std::string& resource : resources) {
    if (resource.empty()) continue;
    if (!syntax::is_absolute_uri(resource)) {
      return fail(ErrorCode::invalid_request,
                  "resource must be an absolute URI without a fragment (RFC 8707)");
    }
    list.push_back(resource);
  }
  sort_unique(list);
  return list;
}

bool is_reserved_parameter(std::string_view name) {
  constexpr std::array exact{std::string_view{"grant_type"},    std::string_view{"assertion"},
                             std::string_view{"scope"},         std::string_view{"resource"},
                             std::string_view{"audience"},      std::string_view{"code"},
                             std::string_view{"refresh_token"}, std::string_view{"username"},
                             std::string_view{"password"},      std::string_view{"requested_token_type"}};
  constexpr std::array prefixes{std::string_view{"client_"}, std::string_view{"subject_token"},
                                std::string_view{"actor_token"}};
  return std::ranges::find(exact, name) != exact.end() ||
         std::ranges::any_of(prefixes, [name](std::string_view prefix) { return name.starts_with(prefix); });
}

}  // namespace grantd::daemon
