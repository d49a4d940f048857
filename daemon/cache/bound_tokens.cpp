// Their number is bounded by that of the token requests within a token's lifetime.
#include "daemon/cache/bound_tokens.hpp"

#include <utility>

namespace grantd::daemon {

void BoundTokens::add(const std::string& version, std::shared_ptr<const TokenBinding> binding,
                      common::BootTime expires, common::BootTime now, TokenKeeper* keeper) {
  if (!binding) return;
  std::erase_if(entries_, [now](const auto& entry) { return entry.second.expires <= now; });
  auto kept = keeper != nullptr ? keeper->keep_binding(version, *binding, expires) : nullptr;
  entries_.insert_or_assign(version, Entry{std::move(binding), expires, std::move(kept)});
}

void BoundTokens::restore(RestoredBinding restored) {
  entries_.insert_or_assign(std::move(restored.version),
                            Entry{std::move(restored.binding), restored.expires, std::move(restored.kept)});
}

std::shared_ptr<const TokenBinding> BoundTokens::find(std::string_view version, common::BootTime now) const {
  const auto found = entries_.find(version);
  return found != entries_.end() && now < found->second.expires ? found->second.binding : nullptr;
}

}  // namespace grantd::daemon
