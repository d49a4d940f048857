// Lookups by the names that callers use. API names are host names too, so they are found without regard to
// case.
#include "daemon/catalog/catalog.hpp"

#include <algorithm>

namespace grantd::daemon {

namespace {

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

}  // namespace

bool LessIgnoringCase::operator()(std::string_view a, std::string_view b) const {
  return std::ranges::lexicographical_compare(a, b, {}, lower, lower);
}

std::shared_ptr<CatalogClient> Catalog::client(std::string_view name) const {
  const auto found = clients.find(name);
  return found == clients.end() ? nullptr : found->second;
}

std::shared_ptr<CatalogApi> Catalog::api(std::string_view name) const {
  const auto found = apis.find(name);
  return found == apis.end() ? nullptr : found->second;
}

}  // namespace grantd::daemon
