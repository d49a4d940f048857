// Lookups by the names that callers use. API names are host names too, so they are found without regard to
// case.
#include "daemon/catalog/catalog.hpp"

#include "common/ascii.hpp"

namespace grantd::daemon {

bool LessIgnoringCase::operator()(std::string_view a, std::string_view b) const {
  return ascii::less_ignoring_case(a, b);
}

CatalogClient* Catalog::client(std::string_view name) const {
  const auto found = clients.find(name);
  return found == clients.end() ? nullptr : found->second.get();
}

std::shared_ptr<CatalogApi> Catalog::api(std::string_view name) const {
  const auto found = apis.find(name);
  return found == apis.end() ? nullptr : found->second;
}

}  // namespace grantd::daemon
