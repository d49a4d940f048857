// Who the definition is and which keys there are is looked at anew for each fetch: files change.
#include "daemon/shared/shared_fetcher.hpp"

#include <algorithm>
#include <iterator>
#include <utility>

#include "daemon/shared/shared_eviction.hpp"
#include "daemon/shared/shared_flight.hpp"

namespace grantd::daemon {

namespace {

constexpr std::size_t most_at_a_time = 16;

}  // namespace

SharedFetcher::SharedFetcher(std::shared_ptr<SharedCache> cache, std::shared_ptr<TokenFetcher> server,
                             std::shared_ptr<const config::ClientSettings> settings,
                             EndpointCredentials credentials)
    : cache_(std::move(cache)),
      server_(std::move(server)),
      settings_(std::move(settings)),
      identity_(std::make_shared<const SharingIdentitySource>(settings_, std::move(credentials),
                                                              cache_->parts().log)) {}

void SharedFetcher::fetch(const Variant& variant, std::shared_ptr<const FetchWish> wish, Done done) {
  cache_->refused().add(*wish, cache_->parts().timers.now());
  auto keys = cache_->keys();
  auto identity = keys ? identity_->current() : std::nullopt;
  if (!identity) return server_->fetch(variant, std::move(wish), std::move(done));
  // A whole fetch is not to take much longer than a request may: whoever waited in vain still has to ask.
  const auto patience = settings_->request_timeout / 2;
  auto flight = std::make_shared<SharedFlight>(cache_, SharedFlight::Order{.client = settings_->name,
                                                                           .variant = variant,
                                                                           .wish = std::move(wish),
                                                                           .identity = *std::move(identity),
                                                                           .who = identity_,
                                                                           .keys = std::move(keys),
                                                                           .server = server_,
                                                                           .patience = patience,
                                                                           .done = std::move(done)});
  flight->begin();
}

void SharedFetcher::fetch_with_assertion(const Variant& variant, common::Secret assertion, Done done) {
  server_->fetch_with_assertion(variant, std::move(assertion), std::move(done));
}

void SharedFetcher::drop(std::vector<DroppedToken> tokens, Dropped done) {
  const auto& [timers, entropy, log, metrics, memory] = cache_->parts();
  for (const DroppedToken& token : tokens) {
    memory.refused.add(token.version, token.expires, timers.now());
    memory.dropped.add(settings_->name, token.variant, timers.now());
    for (const auto& flight : memory.under_way) {
      if (flight->is_for(settings_->name, token.variant)) flight->keep_to_itself();
    }
  }
  const auto keys = cache_->keys();
  const auto identity = keys ? identity_->current() : std::nullopt;
  if (!identity || cache_->is_retired()) return done();
  // In small pieces: what callers wait for may come in between, and no answer is large.
  const std::shared_ptr<Dropped> when_all{new Dropped{std::move(done)}, [](Dropped* one) {
                                            std::unique_ptr<Dropped> { one } -> operator()();
                                          }};
  std::vector<SharedEviction::Target> targets;
  for (const DroppedToken& token : tokens) {
    const auto names = entry_names(cache_->prefix(), *keys, *identity, token.variant);
    std::ranges::move(SharedEviction::targets(names, {.dropped = timers.now()}), std::back_inserter(targets));
    if (targets.size() < most_at_a_time && &token != &tokens.back()) continue;
    std::make_shared<SharedEviction>(cache_, std::exchange(targets, {}), keys)
        ->begin([all = std::shared_ptr{when_all}]() mutable { all.reset(); });
  }
}

}  // namespace grantd::daemon
