// The way to a token that somebody on another machine may have, or be getting. Whatever the store cannot do
// sends the flight on to the server: it never makes an error of its own.
#include "daemon/shared/shared_flight.hpp"

#include <algorithm>
#include <array>
#include <span>
#include <utility>

#include "daemon/cache/refresh_policy.hpp"
#include "daemon/crypto/base64url.hpp"
#include "daemon/oauth/dpop_proof.hpp"
#include "daemon/oauth/token_response.hpp"
#include "daemon/shared/shared_eviction.hpp"

namespace grantd::daemon {

namespace {

using std::chrono::milliseconds;

// A holder that dies delays the others by this at most.
constexpr milliseconds lease_duration{2000};
constexpr milliseconds lease_renewal{600};
constexpr milliseconds first_pause{10};
constexpr milliseconds longest_pause{100};
// By how much machines' clocks may differ.
constexpr milliseconds clock_difference{30'000};
constexpr milliseconds shortest_life{1000};
constexpr int most_writes = 3;
// Rejected tokens of so many names are looked for at a time.
constexpr std::size_t most_evictions = 4096;

std::string random_name(common::Entropy& entropy) {
  std::array<std::byte, 16> bytes{};
  entropy.fill(bytes);
  return "h" + base64url_encode(bytes);
}

}  // namespace

// The lease hangs on the least of the names, so that machines that have the keys in another order, in the
// middle of a rotation, still wait for each other.
SharedFlight::SharedFlight(std::shared_ptr<SharedCache> cache, Order order)
    : cache_(std::move(cache)),
      order_(std::move(order)),
      names_(entry_names(cache_->prefix(), *order_.keys, order_.identity, order_.variant)),
      lease_name_(*std::ranges::min_element(names_) + ":lease"),
      wait_until_(cache_->parts().timers.now() + order_.patience),
      timer_(cache_->parts().timers,
             [this] {
               const auto keep = shared_from_this();
               state_ == State::asking ? keep_lease() : try_lease(now());
             }),
      pause_(first_pause) {}

void SharedFlight::begin() {
  cache_->parts().memory.under_way.insert(shared_from_this());
  if (order_.wish->forced || !cache_->store().available()) return ask_server();
  look_up();
}

void SharedFlight::look_up() {
  const auto since = now();
  cache_->store().look_up(names_, [weak = weak_from_this(), since](std::optional<StoredEntries> entries) {
    const auto self = weak.lock();
    if (!self || self->state_ != State::looking) return;
    if (!entries) return self->ask_server();
    self->looked_up_ = true;
    if (!self->take(*entries)) self->try_lease(since);
  });
}

// After the lease is decided about, the entries are looked at once more: they may have come in between.
void SharedFlight::try_lease(common::BootTime since) {
  state_ = State::looking;
  if (holder_.empty()) holder_ = random_name(cache_->parts().entropy);
  const auto answered = [weak = weak_from_this(), since](std::optional<Leased> leased) {
    const auto self = weak.lock();
    if (!self) return;
    if (!leased) return self->state_ == State::looking ? self->ask_server() : void();
    self->judge_lease(*std::move(leased), since);
  };
  SharedStore& store = cache_->store();
  store.lease(lease(), names_, since, answered, [weak = weak_from_this(), &store, order = lease()] {
    const auto self = weak.lock();
    if (!self || !self->adopt_lease()) store.release(order, false);
  });
}

bool SharedFlight::adopt_lease() {
  if (state_ != State::asking || private_) return false;
  leased_ = true;
  keep_lease();
  return true;
}

// After a request that has failed, or brought what cannot be shared, the next would do no better: those who
// wait ask at once and without a lease, or they would go one after the other. After a holder that died the
// first of them has the lease, and the others wait for that one. Whoever comes after a failure begins anew.
void SharedFlight::judge_lease(Leased leased, common::BootTime since) {
  if (state_ != State::looking) {  // it was told to wait no longer
    if (leased.got) cache_->store().release(lease(), false);
    return;
  }
  leased_ = leased.got;
  if (take(leased.entries)) return;
  if (leased.got || leased.usurped || now() >= wait_until_ || was_in_vain(leased.holder)) return ask_server();
  if (leased.holder == SharedStore::mark) {
    if (std::exchange(over_mark_, true)) return ask_server();  // where marks stay, leases are of no use
    holder_.insert(0, SharedStore::mark);
    return try_lease(since);
  }
  // To take the place of a holder that died is not to take that of a mark.
  if (std::exchange(over_mark_, false)) holder_.erase(0, SharedStore::mark.size());
  if (!leased.holder.empty()) awaited_ = std::move(leased.holder);
  pause();
}

// One that took the place of a mark shows that there was one.
bool SharedFlight::was_in_vain(const std::string& holder) const {
  return !awaited_.empty() && holder != awaited_ && holder.starts_with(SharedStore::mark);
}

void SharedFlight::stop_waiting() {
  if (state_ == State::looking || state_ == State::pausing) ask_server();
}

void SharedFlight::pause() {
  state_ = State::pausing;
  const std::chrono::duration<double, std::milli> length{static_cast<double>(pause_.count()) *
                                                         (0.5 + 0.5 * cache_->parts().entropy.uniform())};
  pause_ = std::min(pause_ * 3 / 2, longest_pause);
  const auto until = now() + std::chrono::duration_cast<common::BootClock::duration>(length);
  timer_.arm(std::min(until, wait_until_));
}

bool SharedFlight::is_still_itself() const {
  const auto identity = order_.who->current();
  return identity &&
         entry_name(cache_->prefix(), order_.keys->front(), *identity, order_.variant) == names_.front();
}

void SharedFlight::ask_server() {
  state_ = State::asking;
  if (!is_still_itself()) {
    private_ = true;
    end_lease();
  }
  timer_.disarm();
  asked_ = now();
  if (looked_up_) cache_->parts().metrics.looked_up(false);
  if (leased_) timer_.arm_after(lease_renewal);
  order_.server->fetch(order_.variant, order_.wish, [weak = weak_from_this()](FetchResult result) {
    if (const auto self = weak.lock()) self->land(std::move(result));
  });
}

void SharedFlight::keep_lease() {
  cache_->store().extend(lease());
  timer_.arm_after(lease_renewal);
}

void SharedFlight::land(FetchResult result) {
  state_ = State::writing;
  timer_.disarm();
  cache_->refused().add(*order_.wish, now());  // callers may have joined with one
  if (!result) {
    leave(true);
    return answer(std::move(result));
  }
  result->term = TokenGrant::Term{asked_, asked_ + std::max(result->lifetime, std::chrono::seconds{0})};
  granted_version_ = result->version;
  cache_->forgive(granted_version_);
  if (!private_ && result->version == found_version_)
    cache_->dropped().forgive(order_.client, order_.variant);
  write(*result);
  answer(std::move(result));
}

// What was rejected and comes back all the same, and what is there already with an end that is to be trusted,
// is not written as if it were new. Each attempt reads the credentials again: what was got with others, or is
// bound to another key, has another name.
bool SharedFlight::may_be_shared(const TokenGrant& grant) const {
  const bool is_new = grant.version != found_version_ && !was_rejected(grant.version);
  const auto& key = order_.identity.dpop_key;
  const bool is_bound_here = !grant.binding || (key && grant.binding->key->thumbprint() == key->thumbprint());
  return is_new && is_bound_here && !private_ && is_still_itself();
}

void SharedFlight::write(const TokenGrant& grant) {
  const auto left = std::chrono::floor<milliseconds>(grant.term->expires - now());
  const auto age = std::chrono::duration_cast<common::WallTime::duration>(now() - asked_);
  if (left >= shortest_life && cache_->store().available() && may_be_shared(grant)) {
    auto sealed = seal_entry({.issued = cache_->parts().timers.wall_now() - age,
                              .lifetime = grant.lifetime,
                              .type = grant.type,
                              .access_token = grant.access_token.clone(),
                              .scope = grant.scope},
                             order_.keys->front(), names_.front(), cache_->parts().entropy);
    if (sealed) {
      sealed_ = *std::move(sealed);
      sealed_term_ = *grant.term;
      return put(found_);
    }
  }
  drop_refused();
  leave(true);
}

void SharedFlight::put(std::string expected) {
  ++writes_;
  const auto left = std::chrono::floor<milliseconds>(sealed_term_.expires - now());
  if (left < shortest_life || cache_->refused().has(granted_version_, now())) {
    drop_refused();
    return leave(true);
  }
  cache_->store().put(
      {.name = names_.front(), .bytes = sealed_, .expected = std::move(expected), .life = left},
      [weak = weak_from_this()](std::optional<InTheWay> outcome) {
        const auto self = weak.lock();
        if (!self) return;
        // Dropped while it was on its way: whichever came first, it is gone now.
        if (self->private_) self->cache_->store().erase_if(self->names_.front(), self->sealed_);
        if (!self->private_ && outcome && *outcome)
          return self->judge_what_is_in_the_way(**std::move(outcome));
        const bool refused = self->cache_->refused().has(self->granted_version_, self->now());
        if (!outcome || refused) {
          self->drop_refused();
        } else {
          for (auto& [name, bytes] : self->outdated_) self->cache_->store().erase_if(name, bytes);
        }
        self->leave(!outcome);
      });
}

// Somebody else wrote meanwhile: it stays if it is as good. If this flight never looked, it may be an old
// one: the clocks of machines do not tell.
void SharedFlight::judge_what_is_in_the_way(std::string bytes) {
  const auto other = candidate(0, {.bytes = bytes});
  const bool as_good = other && !is_refused(*other) &&
                       (other->version == granted_version_ ||
                        (looked_up_ && other->term.expires + clock_difference > sealed_term_.expires));
  if (!as_good && writes_ < most_writes) return put(std::move(bytes));
  if (!as_good) drop_refused();
  leave(!as_good);
}

void SharedFlight::end_lease(bool in_vain) {
  if (std::exchange(leased_, false)) cache_->store().release(lease(), in_vain);
}

void SharedFlight::leave(bool in_vain) {
  end_lease(in_vain);
  cache_->parts().memory.under_way.erase(shared_from_this());
}

// It may stand there by an earlier write, or come yet, by one that a server which was stopped has not read.
// What callers say is taken as far as it may be true, and no more of it than is needed.
void SharedFlight::drop_refused() {
  const FetchWish& wish = *order_.wish;
  SharedEviction::Target target;
  for (const std::string& version : wish.refused) {
    if (version != granted_version_ && is_token_version(version) &&
        target.refused.size() < SharedEviction::most_claimed)
      target.refused.insert(version);
  }
  const bool any = wish.rejected || !target.refused.empty() || cache_->refused().has(granted_version_, now());
  const bool room = cache_->parts().memory.evictions.size() < most_evictions;
  if (!any || !room || cache_->is_retired()) return;
  std::make_shared<SharedEviction>(cache_, SharedEviction::targets(names_, target), order_.keys)->begin();
}

void SharedFlight::answer(FetchResult result) {
  if (order_.done) std::exchange(order_.done, nullptr)(std::move(result));
}

bool SharedFlight::take(const StoredEntries& entries) {
  cache_->refused().add(*order_.wish, now());
  found_.clear();
  found_version_.clear();
  outdated_.clear();
  std::optional<Candidate> best;
  for (std::size_t i = 0; i < entries.size() && i < names_.size(); ++i) {
    if (!entries[i] || entries[i]->withheld) continue;
    if (i == 0) found_ = entries[i]->bytes;
    auto found = candidate(i, *entries[i]);
    if (!found) continue;
    const bool refused = is_refused(*found);
    if (i == 0) {
      found_version_ = found->version;
    } else if (refused) {
      outdated_.emplace_back(names_[i], entries[i]->bytes);
    }
    if (is_wanted(*found) && (!best || best->term.expires < found->term.expires)) best = std::move(found);
  }
  if (!best) return false;
  cache_->parts().metrics.looked_up(true);
  leave();
  auto grant = grant_of(*std::move(best));
  const auto left = std::chrono::floor<std::chrono::seconds>(grant.term->expires - now());
  cache_->parts().log.info("token_shared",
                           {{"client", order_.client}, {"scope", grant.scope}, {"expires_in", left.count()}});
  answer(std::move(grant));
  return true;
}

std::optional<SharedFlight::Candidate> SharedFlight::candidate(std::size_t key, const StoredEntry& stored) {
  auto opened = open_entry(stored.bytes, (*order_.keys)[key], names_[key]);
  if (!opened) {
    report(key, opened.error());
    return std::nullopt;
  }
  const auto age = std::chrono::floor<milliseconds>(cache_->parts().timers.wall_now() - opened->issued);
  const bool bound_to_nothing = opened->type == TokenType::dpop && !order_.identity.dpop_key;
  if (age < -clock_difference || bound_to_nothing) {
    report(key, bound_to_nothing ? "form" : "future");
    return std::nullopt;
  }
  const auto past = std::max(age, milliseconds{0});
  auto left = opened->lifetime - past;
  if (stored.left) left = std::min(left, *stored.left);
  auto version = token_version(opened->access_token.reveal());
  const auto ends = now() - past + opened->lifetime + clock_difference;
  cache_->refused().seen(version, ends, now());
  if (was_rejected(version)) cache_->refused().add(version, ends, now());
  return Candidate{.entry = *std::move(opened),
                   .version = std::move(version),
                   .term = {.obtained = now() - past, .expires = now() + left}};
}

// However often it is looked at while this flight waits.
void SharedFlight::report(std::size_t key, std::string_view reason) {
  if (reported_.emplace(key, reason).second) cache_->report(order_.client, names_[key], reason);
}

bool SharedFlight::was_rejected(const std::string& version) const {
  const FetchWish& wish = *order_.wish;
  return (wish.rejected && version == wish.replaces) || wish.refused.contains(version);
}

bool SharedFlight::is_refused(const Candidate& candidate) const {
  return was_rejected(candidate.version) || cache_->refused().has(candidate.version, now()) ||
         cache_->dropped().has(order_.client, order_.variant, candidate.term.obtained);
}

bool SharedFlight::is_wanted(const Candidate& candidate) const {
  const FetchWish& wish = *order_.wish;
  const auto& [obtained, expires] = candidate.term;
  const auto least = std::max<common::BootClock::duration>(
      wish.min_valid, default_min_valid(common::BootTime{}, common::BootTime{candidate.entry.lifetime}));
  if (expires - now() <= std::max<common::BootClock::duration>(least, milliseconds{0})) return false;
  if (candidate.version == wish.replaces || is_refused(candidate)) return false;
  if (wish.replaces.empty()) return true;
  // A newer token of a machine whose clock is behind looks older than it is.
  if (wish.rejected) return obtained > wish.obtained - clock_difference;
  // A server may have begun to give shorter lives.
  return obtained > wish.obtained + clock_difference || expires > wish.expires;
}

TokenGrant SharedFlight::grant_of(Candidate candidate) const {
  TokenGrant grant{.access_token = std::move(candidate.entry.access_token),
                   .type = candidate.entry.type,
                   .scope = std::move(candidate.entry.scope),
                   .version = std::move(candidate.version),
                   .lifetime = std::chrono::floor<std::chrono::seconds>(candidate.entry.lifetime),
                   .term = candidate.term,
                   .shared = true};
  if (grant.type == TokenType::dpop) {
    grant.binding = std::make_shared<const TokenBinding>(order_.identity.dpop_key,
                                                         access_token_hash(grant.access_token.reveal()));
  }
  return grant;
}

LeaseOrder SharedFlight::lease() const {
  return {.name = lease_name_, .holder = holder_, .duration = lease_duration, .over_mark = over_mark_};
}

}  // namespace grantd::daemon
