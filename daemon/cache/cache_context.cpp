// What concerns a definition as a whole rather than one of its variants: a refused client id is refused for
// every scope.
#include "daemon/cache/cache_context.hpp"

#include <algorithm>

namespace grantd::daemon {

using common::Error;
using std::chrono::seconds;

std::optional<Error> CacheContext::remembered_error(RememberedError* own) {
  auto error = client_error.current(now());
  if (!error && own != nullptr) error = own->current(now());
  if (error && fetcher->credentials_changed()) {
    client_error.forget();
    if (own != nullptr) own->forget();
    return std::nullopt;
  }
  return error;
}

std::optional<Error> CacheContext::over_limit(uid_t uid) {
  const auto wait = provocations.wait_time(uid, now());
  if (!wait) return std::nullopt;
  return Error{
      .code = common::ErrorCode::too_many_requests,
      .detail =
          "this user caused as many token requests in the last minute as max_provoked_requests allows; "
          "ask for the cached token, or ask later",
      .retry_after = wait};
}

TokenPtr CacheContext::token_from(TokenGrant grant, common::BootTime started) {
  if (!grant.shared) ++fetched;
  const auto term =
      grant.term.value_or(TokenGrant::Term{started, started + std::max(grant.lifetime, seconds{0})});
  const auto left = std::chrono::duration_cast<common::WallTime::duration>(term.expires - now());
  bound.add(grant.version, grant.binding, term.expires, now(), outlets.keeper.get());
  return std::make_shared<const Token>(Token{.obtained = term.obtained,
                                             .expires = term.expires,
                                             .expires_wall = parts.timers.wall_now() + left,
                                             .access_token = std::move(grant.access_token),
                                             .type = grant.type,
                                             .scope = std::move(grant.scope),
                                             .version = std::move(grant.version),
                                             .binding = std::move(grant.binding)});
}

}  // namespace grantd::daemon
