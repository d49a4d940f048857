// Unknown and repeated parameters are errors: a misspelt wish that is silently left out would give a token
// for something else than was asked for.
#include <set>

#include "daemon/server/token_wishes.hpp"

namespace grantd::daemon {

using common::ErrorCode;
using common::fail;

common::Result<CallerRequest> parse_token_query(std::string_view query, bool with_min_valid) {
  auto pairs = parse_form(query);
  if (!pairs) return std::unexpected(std::move(pairs.error()));
  CallerRequest request;
  std::set<std::string, std::less<>> seen;
  for (auto& [name, value] : *pairs) {
    if (name == "resource") {
      if (!value.empty()) request.resource.push_back(std::move(value));
      continue;
    }
    const bool known = name == "scope" || name == "audience" || (with_min_valid && name == "min_valid");
    if (!known)
      return fail(ErrorCode::invalid_request, "the query parameter \"" + name + "\" is unknown here");
    if (!seen.insert(name).second) {
      return fail(ErrorCode::invalid_request, "the query parameter \"" + name + "\" is there twice");
    }
    if (value.empty()) continue;
    if (name == "scope") {
      request.scope = std::move(value);
    } else if (name == "audience") {
      request.audience = std::move(value);
    } else {
      const auto seconds = parse_min_valid(value);
      if (!seconds) return std::unexpected(seconds.error());
      request.min_valid = *seconds;
    }
  }
  return request;
}

}  // namespace grantd::daemon
