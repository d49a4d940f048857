// Their number is bounded by that of the token requests within a token's lifetime.
#include "daemon/cache/bound_tokens.hpp"

#include <utility>

namespace grantd::daemon {

void BoundTokens::add(const std::string& version, std::shared_ptr<const TokenBinding> binding,
                      common::BootTime expires, common::BootTime now) {
  if (!binding) return;
  std::erase_if(entries_, [now](const auto& entry) { return entry.second.expires <= now; });
  entries_.insert_or_assign(version, Entry{.binding = std::move(binding), .expires = expires});
}

std::shared_ptr<const TokenBinding> BoundTokens::find(std::string_view version, common::BootTime now) const {
  const auto found = entries_.find(version);
  return found != entries_.end() && now < found->second.expires ? found->second.binding : nullptr;
}

}  // namespace grantd::daemon
