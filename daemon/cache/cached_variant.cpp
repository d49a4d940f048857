// The rules of when to ask the server. Every entry decides first (`decide`, no effects but the guard's clock)
// and acts then, so that the fast path and the waiting path cannot disagree. Nothing here takes a valid token
// away: a renewal that fails leaves the token where it was.
#include "daemon/cache/cached_variant.hpp"

#include <algorithm>
#include <utility>

#include "daemon/cache/refresh_policy.hpp"

namespace grantd::daemon {

using common::BootTime;
using common::Error;
using std::chrono::seconds;

namespace {

constexpr seconds transient_bound{10};
constexpr seconds refusal_bound{60};
constexpr seconds longest_guard{60};
constexpr seconds pause_after_unreadable_credentials{5};

}  // namespace

CachedVariant::CachedVariant(Variant variant, CacheContext& cache)
    : metrics_(cache.parts.metrics),
      cache_(cache),
      timer_(cache.parts.timers, [this] { on_timer(); }),
      variant_(std::move(variant)) {}

std::optional<HandoutResult> CachedVariant::get_now(const TokenQuery& query, BootTime now) {
  Decision decision = decide(query, now);
  if (decision.what == Decision::What::serve) return serve(now);
  if (decision.what == Decision::What::fail) return std::unexpected(std::move(*decision.error));
  return std::nullopt;
}

void CachedVariant::get(const TokenQuery& query, TokenCache::Waiter waiter) {
  const BootTime asked = now();
  Decision decision = decide(query, asked);
  if (decision.provoked) cache_.provocations.count(query.uid, asked);
  switch (decision.what) {
    case Decision::What::serve:
      return waiter(serve(asked));
    case Decision::What::fail:
      return waiter(std::unexpected(std::move(*decision.error)));
    case Decision::What::start:
      start_flight({.rejected = decision.rejected, .forced = query.force_renewal});
      break;
    case Decision::What::join:
      flight_->wish->rejected |= decision.rejected;
      break;
    case Decision::What::join_next:
      next_.push_back({std::move(waiter), query.force_renewal, std::string{query.rejected},
                       query.min_valid.value_or(seconds{0})});
      return;
  }
  flight_->wish->min_valid = std::max(flight_->wish->min_valid, query.min_valid.value_or(seconds{0}));
  if (!query.rejected.empty() && !decision.rejected) flight_->wish->refused.emplace(query.rejected);
  flight_->waiting.push_back({std::move(waiter), query.force_renewal});
}

CachedVariant::Decision CachedVariant::decide(const TokenQuery& query, BootTime now) {
  using What = Decision::What;
  if (query.force_renewal) return decide_forced(query.uid);
  if (!is_valid(now)) return decide_without_token(query.uid);

  const auto left = token_->expires - now;
  const auto least = default_min_valid(token_->obtained, token_->expires);
  const bool rejected =
      !query.rejected.empty() && query.rejected == token_->version && !rejection_is_guarded(now);
  // A server that just gave the same token again has nothing better to give.
  const bool nothing_better = same_token_again_ && now < renew_at_;
  const bool too_short = left < (query.min_valid ? *query.min_valid : least) && !nothing_better;
  if ((!rejected && !too_short) || cache_.remembered_error(&error_)) return {.what = What::serve};
  if (flight_) return {.what = What::join, .rejected = rejected};
  const bool provoked = rejected || left >= least;
  if (provoked && cache_.over_limit(query.uid)) return {.what = What::serve};
  return {.what = What::start, .provoked = provoked, .rejected = rejected};
}

CachedVariant::Decision CachedVariant::decide_forced(uid_t uid) {
  using What = Decision::What;
  if (auto error = cache_.remembered_error(&error_)) return {.what = What::fail, .error = std::move(error)};
  if (!next_.empty()) return {.what = What::join_next};
  if (auto error = cache_.over_limit(uid)) return {.what = What::fail, .error = std::move(error)};
  return {.what = flight_ ? What::join_next : What::start, .provoked = true};
}

CachedVariant::Decision CachedVariant::decide_without_token(uid_t uid) {
  using What = Decision::What;
  if (flight_) return {.what = flight_->stale ? What::join_next : What::join};
  if (auto error = cache_.remembered_error(&error_)) return {.what = What::fail, .error = std::move(error)};
  const bool new_combination = !configured_ && !ever_had_token_;
  if (new_combination) {
    if (auto error = cache_.over_limit(uid)) return {.what = What::fail, .error = std::move(error)};
  }
  return {.what = What::start, .provoked = new_combination};
}

// An API that refuses every token must not turn into a token request for each of its refusals.
bool CachedVariant::rejection_is_guarded(BootTime now) {
  if (!from_rejection_) return false;
  if (guarded_version_ != token_->version) {
    guarded_version_ = token_->version;
    guard_step_ = std::clamp(guard_step_ * 2, seconds{1}, longest_guard);
    guarded_until_ = now + guard_step_;
  }
  return now < guarded_until_;
}

HandoutResult CachedVariant::serve(BootTime now) {
  if (!used_) {
    set_used(true);
    schedule();
  }
  if (now >= renew_at_) renew_if_due();
  return hand_out(token_, flight_ ? TokenOrigin::renewing : TokenOrigin::cache);
}

Handout CachedVariant::hand_out(TokenPtr token, TokenOrigin origin) {
  metrics_.token_served(origin);
  return {std::move(token), origin};
}

void CachedVariant::renew_if_due() {
  const bool due = token_ ? now() >= renew_at_ : prefetch_;
  if (due && !cache_.retired && !flight_ && now() >= background_not_before_ &&
      !cache_.remembered_error(&error_))
    start_flight();
}

void CachedVariant::start_flight(FetchWish wish) {
  if (has_valid_token()) {
    wish.replaces = token_->version;
    wish.obtained = token_->obtained;
    wish.expires = token_->expires;
  }
  flight_ = std::make_unique<Flight>(
      Flight{.started = now(), .wish = std::make_shared<FetchWish>(std::move(wish))});
  timer_.disarm();
  cache_.fetcher->fetch(variant_, flight_->wish, [weak = weak_from_this()](FetchResult result) {
    if (const auto self = weak.lock()) self->land(std::move(result));
  });
}

void CachedVariant::land(FetchResult result) {
  Flight flight = std::move(*std::exchange(flight_, nullptr));
  std::expected<Handout, Error> outcome;
  if (result) {
    cache_.client_error.forget();
    cache_.client_failure.reset();
    error_.forget();
    failure_.reset();
    const auto origin = result->shared ? TokenOrigin::shared : TokenOrigin::fetched;
    TokenPtr token = cache_.token_from(std::move(*result), flight.started);
    ever_had_token_ = true;
    if (!flight.stale) store(token, flight);
    if (token_ && token_->version == token->version) token = token_;
    outcome = Handout{std::move(token), origin};
  } else {
    remember(result.error());
    outcome = std::unexpected(result.error().error);
  }
  const auto keep = shared_from_this();  // a waiter may make the cache drop this variant
  answer(std::move(flight.waiting), outcome);
  start_next();
  schedule();
}

void CachedVariant::store(TokenPtr token, const Flight& flight) {
  const bool had_valid_token = has_valid_token();
  same_token_again_ = had_valid_token && token_->version == token->version;
  if (same_token_again_) {
    // Some servers name the full lifetime each time: the first answer's end is the one to trust.
    if (token->expires < token_->expires) replace_token(std::move(token));
    renew_at_ = renewal_time_of_same_token(now(), token_->expires);
  } else if (token->expires > now()) {
    replace_token(std::move(token));
    renew_at_ = renewal_time(token_->obtained, token_->expires, cache_.rules.refresh_before_expiry,
                             cache_.parts.entropy.uniform());
  } else {
    if (had_valid_token) renew_at_ = renewal_time_of_same_token(now(), token_->expires);
    return;
  }
  // Who reads the same token out of its page goes on doing so, without asking.
  used_ = page_ != nullptr;
  from_rejection_ = flight.wish->rejected;
  if (!from_rejection_) guard_step_ = seconds{0};
  // The next rejection of the same token is one more, not the one that was guarded against.
  if (from_rejection_ && same_token_again_) guarded_version_.clear();
  kept_ = cache_.keep(variant_, *token_, use());  // written before the other one is forgotten
}

// Whoever finds the page closed and asks again gets the replacement.
void CachedVariant::replace_token(TokenPtr token) {
  token_ = std::move(token);
  page_.reset();
}

void CachedVariant::restore(RestoredToken restored) {
  if (token_ && token_->obtained > restored.token->obtained) return;
  token_ = std::move(restored.token);
  kept_ = std::move(restored.kept);
  if (cache_.outlets.pages) page_ = cache_.outlets.pages->take_page(variant_, *token_);
  used_ = restored.use.used;
  from_rejection_ = restored.use.from_rejection;
  same_token_again_ = restored.use.same_token_again;
  ever_had_token_ = true;
  const double jitter = cache_.parts.entropy.uniform();
  const auto lead = cache_.rules.refresh_before_expiry;
  renew_at_ = same_token_again_ ? renewal_time_of_same_token(now(), token_->expires)
                                : renewal_time_after_restart(now(), *token_, lead, jitter);
  schedule();
}

common::UniqueFd CachedVariant::page_of(const Token& token) {
  if (token_.get() != &token || !is_valid(now()) || !cache_.outlets.pages) return {};
  if (!page_) page_ = cache_.outlets.pages->publish(variant_, token);
  return page_ ? page_->for_reader() : common::UniqueFd{};
}

void CachedVariant::retire() {
  page_.reset();
  kept_.reset();
  schedule();
}

void CachedVariant::forget_token() {
  page_.reset();
  token_.reset();
  kept_.reset();
  used_ = false;
}

void CachedVariant::set_used(bool used) {
  used_ = used;
  if (kept_) kept_->set_use(use());
}

void CachedVariant::remember(const FetchError& failure) {
  const bool of_client =
      failure.memory == FetchError::Memory::none || failure.memory == FetchError::Memory::client;
  failure_.reset();
  (of_client ? cache_.client_failure : failure_) = Failure{.error = failure.error, .at = now()};
  switch (failure.memory) {
    case FetchError::Memory::none:
      background_not_before_ = now() + pause_after_unreadable_credentials;
      break;
    case FetchError::Memory::transient:
      error_.remember(failure.error, now(), transient_bound, failure.retry_after);
      break;
    case FetchError::Memory::variant:
      error_.remember(failure.error, now(), refusal_bound);
      break;
    case FetchError::Memory::client:
      cache_.client_error.remember(failure.error, now(), refusal_bound);
      break;
  }
}

void CachedVariant::answer(std::vector<Waiting> waiting, const std::expected<Handout, Error>& outcome) {
  for (Waiting& one : waiting) {
    if (outcome) {
      if (!used_) set_used(true);
      one.waiter(hand_out(outcome->token, outcome->origin));
    } else if (!one.forced && has_valid_token()) {
      one.waiter(serve(now()));
    } else {
      one.waiter(std::unexpected(outcome.error()));
    }
  }
}

void CachedVariant::start_next() {
  if (next_.empty() || flight_) return;
  if (const auto error = cache_.remembered_error(&error_))
    return answer(std::exchange(next_, {}), std::unexpected(*error));
  FetchWish wish{.forced = std::ranges::any_of(next_, &Waiting::forced)};
  for (const Waiting& one : next_) {
    if (!one.rejected.empty()) wish.refused.insert(one.rejected);
    wish.min_valid = std::max(wish.min_valid, one.min_valid);
  }
  start_flight(std::move(wish));
  flight_->waiting = std::exchange(next_, {});
}

void CachedVariant::schedule() {
  if (flight_) return;
  if (!token_ && !prefetch_) return timer_.disarm();
  const auto held_back =
      std::max({background_not_before_, error_.last() ? error_.until() : BootTime{},
                cache_.client_error.last() ? cache_.client_error.until() : BootTime{}, now()});
  if (!token_) return timer_.arm(held_back);
  const auto renewal = std::max(renew_at_, held_back);
  timer_.arm(wants_renewal() ? std::min(renewal, token_->expires) : token_->expires);
}

void CachedVariant::on_timer() {
  if (token_ && now() >= token_->expires) forget_token();
  if (wants_renewal()) renew_if_due();
  schedule();
}

DroppedToken CachedVariant::drop() {
  DroppedToken dropped{.variant = variant_};
  if (token_) {
    dropped.version = token_->version;
    dropped.expires = token_->expires;
  }
  forget_token();
  from_rejection_ = false;
  same_token_again_ = false;
  if (flight_) flight_->stale = true;
  schedule();
  return dropped;
}

void CachedVariant::set_role(bool configured, bool prefetch) {
  configured_ = configured;
  prefetch_ = prefetch;
  if (prefetch_ && !has_valid_token()) renew_if_due();
  schedule();
}

void CachedVariant::apply_rules() {
  error_.forget();
  failure_.reset();
  background_not_before_ = {};
  if (has_valid_token() && !same_token_again_) {
    renew_at_ = renewal_time(token_->obtained, token_->expires, cache_.rules.refresh_before_expiry,
                             cache_.parts.entropy.uniform());
  }
  schedule();
}

// Whichever is later: what another variant learned of the client holds for this one.
const Failure* CachedVariant::last_failure() const {
  const auto& of_client = cache_.client_failure;
  if (failure_ && (!of_client || of_client->at < failure_->at)) return &*failure_;
  return of_client ? &*of_client : nullptr;
}

CacheStatus CachedVariant::status() const {
  CacheStatus status;
  const bool valid = has_valid_token();
  const Failure* failure = last_failure();
  using State = CacheStatus::State;
  if (flight_) {
    status.state = valid ? State::renewing : State::fetching;
  } else if (failure != nullptr) {
    status.state = State::failing;
  } else {
    status.state = valid ? State::ready : State::idle;
  }
  if (failure != nullptr) status.last_error = failure->error;
  if (!valid) return status;
  status.expires_in = std::chrono::floor<seconds>(token_->expires - now());
  status.renews_in = std::chrono::ceil<seconds>(std::max(renew_at_ - now(), common::BootClock::duration{0}));
  return status;
}

}  // namespace grantd::daemon
