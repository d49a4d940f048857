#pragma once

#include "daemon/cache/bound_tokens.hpp"
#include "daemon/cache/token_cache.hpp"

namespace grantd::daemon {

/// A failed attempt, for the status alone: nothing is decided by it.
struct Failure {
  common::Error error;
  common::BootTime at;
};

/// What the variants of one definition share: rules, the way to the server, and what is known of the client
/// as a whole.
struct CacheContext {
  CacheRules rules;
  std::shared_ptr<TokenFetcher> fetcher;
  TokenOutlets outlets{};
  CacheParts parts;
  ProvocationLimit provocations;
  RememberedError client_error{};  // invalid_client, unauthorized_client
  /// The last one that was the client's and no single variant's: a refused client, or credentials that could
  /// not be read. None once a variant got a token.
  std::optional<Failure> client_failure{};
  BoundTokens bound{};
  bool retired = false;  // no renewal ahead of expiry any more
  std::uint64_t fetched = 0;
  const std::uint64_t served_before = parts.metrics.served();  // of another identity's tokens

  common::BootTime now() const { return parts.timers.now(); }
  /// The failure that holds for the client, or else `own`'s; none once the credentials have changed, which
  /// voids both.
  std::optional<common::Error> remembered_error(RememberedError* own);
  /// `too_many_requests` where `uid` may not cause another token request now.
  std::optional<common::Error> over_limit(uid_t uid);
  /// Puts what a request begun at `started` brought on the clock, unless it says itself when it was obtained.
  TokenPtr token_from(TokenGrant grant, common::BootTime started);
  /// Null where nothing is kept.
  std::unique_ptr<KeptToken> keep(const Variant& variant, const Token& token, TokenUse use) {
    return outlets.keeper ? outlets.keeper->keep(variant, token, use) : nullptr;
  }
};

}  // namespace grantd::daemon
