// One definition's variants under one roof: finding them, bounding their number, and what concerns all of
// them.
#include "daemon/cache/token_cache.hpp"

#include <algorithm>
#include <utility>

#include "daemon/cache/cached_variant.hpp"

namespace grantd::daemon {

using common::Error;
using common::ErrorCode;

std::string_view name(CacheStatus::State state) {
  switch (state) {
    case CacheStatus::State::idle:
      return "idle";
    case CacheStatus::State::fetching:
      return "fetching";
    case CacheStatus::State::ready:
      return "ready";
    case CacheStatus::State::renewing:
      return "renewing";
    case CacheStatus::State::failing:
      return "failing";
  }
  return "idle";
}

TokenCache::TokenCache(CacheRules rules, std::shared_ptr<TokenFetcher> fetcher, CacheParts parts,
                       TokenOutlets outlets)
    : context_(new CacheContext{.rules = std::move(rules),
                                .fetcher = std::move(fetcher),
                                .outlets = std::move(outlets),
                                .parts = parts,
                                .provocations = ProvocationLimit{0}}) {
  restore();
  apply_roles();
}

// Before the roles, so that nothing is fetched that is there.
void TokenCache::restore() {
  if (!context_->outlets.keeper) return;
  for (RestoredBinding& one : context_->outlets.keeper->take_bindings())
    context_->bound.restore(std::move(one));
  for (RestoredToken& one : context_->outlets.keeper->take_tokens()) {
    const auto found = entries_.find(one.variant);
    CachedVariant& entry = found != entries_.end() ? *found->second : add(one.variant);
    entry.restore(std::move(one));
  }
}

TokenCache::~TokenCache() = default;

std::optional<HandoutResult> TokenCache::get_now(const TokenQuery& query) {
  if (CachedVariant* entry = find(query.variant)) return entry->get_now(query, context_->now());
  if (auto error = refusal_of_new(query.uid)) return std::unexpected(std::move(*error));
  return std::nullopt;
}

// A configured variant is never dropped, so that its last use is of no interest.
std::optional<HandoutResult> TokenCache::get_own_now(uid_t uid, common::BootTime now) {
  return own_->get_now({.uid = uid}, now);
}

void TokenCache::get(TokenQuery query, Waiter waiter) {
  CachedVariant* entry = find(query.variant);
  if (entry == nullptr) {
    if (auto error = refusal_of_new(query.uid)) return waiter(std::unexpected(std::move(*error)));
    entry = &add(query.variant);
  }
  entry->get(query, std::move(waiter));
}

void TokenCache::get_with_assertion(const TokenQuery& query, common::Secret assertion, Waiter waiter) {
  if (auto error = context_->over_limit(query.uid)) return waiter(std::unexpected(std::move(*error)));
  const auto now = context_->now();
  context_->provocations.count(query.uid, now);
  context_->fetcher->fetch_with_assertion(
      query.variant, std::move(assertion),
      [weak = std::weak_ptr(context_), now, waiter = std::move(waiter)](FetchResult result) mutable {
        const auto context = weak.lock();
        if (!result) return waiter(std::unexpected(std::move(result.error().error)));
        if (!context)
          return waiter(common::fail(ErrorCode::internal_error, "the definition is gone; ask again"));
        context->parts.metrics.token_served(TokenOrigin::fetched);
        waiter(Handout{context->token_from(std::move(*result), now), TokenOrigin::fetched});
      });
}

common::UniqueFd TokenCache::page_of(const Variant& variant, const Token& token) {
  CachedVariant* entry = find(variant);
  return entry != nullptr ? entry->page_of(token) : common::UniqueFd{};
}

void TokenCache::close_pages() {
  for (auto& [_, entry] : entries_) entry->close_page();
}

std::shared_ptr<const TokenBinding> TokenCache::binding_of(std::string_view version) const {
  return context_->bound.find(version, context_->now());
}

void TokenCache::evict(const std::optional<Variant>& variant, uid_t uid,
                       std::move_only_function<void(common::Result<void>)> done) {
  if (auto error = context_->over_limit(uid)) return done(std::unexpected(std::move(*error)));
  context_->provocations.count(uid, context_->now());
  std::vector<DroppedToken> dropped;
  if (!variant) {
    for (auto& [_, entry] : entries_) dropped.push_back(entry->drop());
  } else if (CachedVariant* entry = find(*variant)) {
    dropped.push_back(entry->drop());
  } else {
    dropped.push_back({.variant = *variant});
  }
  context_->fetcher->drop(std::move(dropped), [done = std::move(done)]() mutable { done({}); });
}

void TokenCache::reconfigure(CacheRules rules, std::shared_ptr<TokenFetcher> fetcher, TokenOutlets outlets) {
  context_->rules = std::move(rules);
  context_->fetcher = std::move(fetcher);
  context_->outlets = std::move(outlets);
  context_->client_error.forget();
  context_->client_failure.reset();
  for (auto& [_, entry] : entries_) entry->apply_rules();
  apply_roles();
}

void TokenCache::retire() {
  context_->retired = true;
  context_->outlets = {};
  for (auto& [_, entry] : entries_) entry->retire();
}

void TokenCache::apply_roles() {
  const CacheRules& rules = context_->rules;
  context_->provocations.set_limit(rules.max_provoked_requests);
  for (auto& [variant, entry] : entries_) {
    if (entry->is_configured() && !is_configured(variant)) entry->last_use = ++uses_;
  }
  own_ = nullptr;  // it may go to make room
  for (const Variant& variant : rules.configured) {
    CachedVariant* entry = find(variant);
    if (entry == nullptr) entry = &add(variant);
    if (own_ == nullptr) own_ = entry;
  }
  for (auto& [variant, entry] : entries_) {
    entry->set_role(is_configured(variant), rules.prefetch && variant == rules.configured.front());
  }
}

CacheStatus TokenCache::status() const {
  CacheStatus status = own_->status();
  status.served = context_->parts.metrics.served() - context_->served_before;
  status.fetched = context_->fetched;
  return status;
}

bool TokenCache::ever_had_token() const { return own_->ever_had_token(); }

CachedVariant* TokenCache::find(const Variant& variant) {
  const auto found = entries_.find(variant);
  if (found == entries_.end()) return nullptr;
  found->second->last_use = ++uses_;
  return found->second.get();
}

CachedVariant& TokenCache::add(const Variant& variant) {
  CachedVariant& entry =
      *entries_.emplace(variant, std::make_shared<CachedVariant>(variant, *context_)).first->second;
  entry.last_use = ++uses_;
  drop_surplus_variants(entry);
  return entry;
}

// A combination that is refused must not get an entry, or asking for many would push out other callers'
// tokens.
std::optional<Error> TokenCache::refusal_of_new(uid_t uid) {
  if (auto error = context_->remembered_error(nullptr)) return error;
  return context_->over_limit(uid);
}

bool TokenCache::is_configured(const Variant& variant) const {
  return std::ranges::find(context_->rules.configured, variant) != context_->rules.configured.end();
}

// Those with callers waiting stay: their number is bounded by that of connections.
void TokenCache::drop_surplus_variants(const CachedVariant& keep) {
  std::size_t count = 0;
  auto oldest = entries_.end();
  for (auto it = entries_.begin(); it != entries_.end(); ++it) {
    if (is_configured(it->first)) continue;
    ++count;
    if (it->second.get() == &keep || it->second->has_request()) continue;
    if (oldest == entries_.end() || it->second->last_use < oldest->second->last_use) oldest = it;
  }
  if (count > context_->rules.max_variants && oldest != entries_.end()) entries_.erase(oldest);
}

}  // namespace grantd::daemon
