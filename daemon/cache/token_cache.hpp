#pragma once

#include <sys/types.h>

#include <functional>
#include <list>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "common/entropy.hpp"
#include "common/log.hpp"
#include "common/timer_queue.hpp"
#include "daemon/cache/page_publisher.hpp"
#include "daemon/cache/provocation_limit.hpp"
#include "daemon/cache/remembered_error.hpp"
#include "daemon/cache/token_fetcher.hpp"
#include "daemon/cache/token_keeper.hpp"
#include "daemon/metrics/client_metrics.hpp"
#include "daemon/oauth/token.hpp"

namespace grantd::daemon {

/// The rules one definition's cache works by.
struct CacheRules {
  std::string client{};  // for log lines
  std::chrono::milliseconds refresh_before_expiry{60'000};
  bool prefetch = false;
  std::size_t max_variants = 64;
  std::size_t max_provoked_requests = 30;
  /// The variants that the configuration itself names, at least one: the first is the definition's own, and
  /// what `prefetch` keeps fresh.
  std::vector<Variant> configured{};
};

/// What a caller wants, after it was decided that it may have it.
struct TokenQuery {
  Variant variant{};
  std::optional<std::chrono::seconds> min_valid{};
  bool force_renewal = false;
  std::string rejected{};  // version of a token that an API refused; empty: none
  uid_t uid = static_cast<uid_t>(-1);
};

/// A token, and where it came from.
struct Handout {
  TokenPtr token;
  TokenOrigin origin = TokenOrigin::cache;
};
using HandoutResult = common::Result<Handout>;

/// What `GET /v1/clients` tells of one definition.
struct CacheStatus {
  enum class State { idle, fetching, ready, renewing, failing };
  State state = State::idle;
  std::optional<std::chrono::seconds> expires_in{};
  std::optional<std::chrono::seconds> renews_in{};
  std::uint64_t served = 0;
  std::uint64_t fetched = 0;
  /// Of the last attempt, or of what was learned since of the client as a whole; none after a success.
  std::optional<common::Error> last_error{};
};
std::string_view name(CacheStatus::State state);

/// What the cache works with; all of it outlives the cache.
struct CacheParts {
  common::TimerQueue& timers;
  common::Entropy& entropy;
  common::Logger& log;
  ClientMetrics& metrics;
};

/// Where a definition's tokens go besides its callers; either may be null.
struct TokenOutlets {
  std::shared_ptr<TokenKeeper> keeper{};
  std::shared_ptr<PagePublisher> pages{};
};

class CachedVariant;
struct CacheContext;

/// The tokens of one client definition: kept, shared, renewed ahead of expiry. Each variant is a state
/// machine of its own (cached_variant.hpp). Never gives a token away that has expired, never takes away one
/// that has not. Loop thread only.
class TokenCache {
 public:
  /// Begins with what the outlets have of an earlier process.
  TokenCache(CacheRules rules, std::shared_ptr<TokenFetcher> fetcher, CacheParts parts,
             TokenOutlets outlets = {});
  ~TokenCache();
  TokenCache(const TokenCache&) = delete;
  TokenCache& operator=(const TokenCache&) = delete;

  using Waiter = std::move_only_function<void(HandoutResult)>;

  /// The answer where it can be given at once: a token that will do, or an error that is remembered. Nothing:
  /// use `get`. Starts the background renewal that a token past its renewal time needs.
  std::optional<HandoutResult> get_now(const TokenQuery& query);
  /// The same for the definition's own variant and for nothing in particular, which is what nearly every
  /// caller wants: the shortest way to a cached token. `now` is the time.
  std::optional<HandoutResult> get_own_now(uid_t uid, common::BootTime now);
  /// Calls `waiter` once, from within or later. It may use the cache but not destroy it.
  void get(TokenQuery query, Waiter waiter);
  /// Past the cache, shared with nobody.
  void get_with_assertion(const TokenQuery& query, common::Secret assertion, Waiter waiter);

  /// A reader's descriptor of the page of `token`, if that still is the variant's token and there can be a
  /// page.
  common::UniqueFd page_of(const Variant& variant, const Token& token);
  /// Closes every page: whoever has one must ask again. For a change of who may have the tokens.
  void close_pages();

  /// What proofs for a token with this version need; null where no bound token has it that is still valid.
  std::shared_ptr<const TokenBinding> binding_of(std::string_view version) const;

  /// Drops the token of one variant, or of all, here and at once, and wherever the fetcher would find it;
  /// then `done` is called, once, also from within. Requests under way do not bring it back. Error:
  /// `too_many_requests`, then nothing is dropped.
  void evict(const std::optional<Variant>& variant, uid_t uid,
             std::move_only_function<void(common::Result<void>)> done);

  /// Goes on with other rules, another fetcher and other outlets; keeps tokens, waiters and requests under
  /// way, forgets remembered errors. For a reload that left the definition's identity unchanged.
  void reconfigure(CacheRules rules, std::shared_ptr<TokenFetcher> fetcher, TokenOutlets outlets = {});
  /// The definition is gone: closes every page, keeps nothing for the next process and renews nothing more.
  /// Requests that began before still get their answer.
  void retire();

  /// Of the definition's own variant; the counters are of all variants, since the cache was made.
  CacheStatus status() const;
  /// Whether the definition's own variant ever had a token: what `/readyz` waits for.
  bool ever_had_token() const;

 private:
  CachedVariant* find(const Variant& variant);
  CachedVariant& add(const Variant& variant);
  std::optional<common::Error> refusal_of_new(uid_t uid);
  void restore();
  void apply_roles();
  void drop_surplus_variants(const CachedVariant& keep);
  bool is_configured(const Variant& variant) const;

  CachedVariant* own_ = nullptr;  // one of the entries; null only while they get their roles
  const std::shared_ptr<CacheContext> context_;
  std::map<Variant, std::shared_ptr<CachedVariant>> entries_;
  std::uint64_t uses_ = 0;
};

}  // namespace grantd::daemon
