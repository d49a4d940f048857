// Fetches under way keep the cache they began with; what must not come back outlives every one of them.
#include "daemon/shared/shared_caching.hpp"

#include <utility>

#include "daemon/shared/shared_eviction.hpp"
#include "daemon/shared/shared_flight.hpp"

namespace grantd::daemon {

namespace {

constexpr const char* log_name = "[cache]";  // no client can have it

}  // namespace

void SharedCaching::configure(const config::CacheSettings& settings) {
  if (settings == settings_) {
    if (cache_) cache_->keys();
    return;
  }
  settings_ = settings;
  // Whoever they wait for writes to another store from now on, or to none.
  for (const auto& flight : std::set{memory_.under_way}) flight->stop_waiting();
  memory_.evictions.clear();
  if (cache_) cache_->retire();
  cache_.reset();
  store_.reset();
  if (!settings.shared) return;
  auto& metrics = parts_.metrics.shared_cache();
  std::shared_ptr<SecretSource> password;
  if (settings.password)
    password = make_secret_source(*settings.password, {.client = log_name, .key = "password"}, parts_.log);
  store_ = std::make_shared<RedisStore>(*settings.shared, std::move(password), settings.timeout,
                                        RedisParts{.loop = parts_.loop,
                                                   .workers = parts_.workers,
                                                   .clock = parts_.clock,
                                                   .entropy = parts_.entropy,
                                                   .log = parts_.log,
                                                   .metrics = metrics});
  cache_ = std::make_shared<SharedCache>(
      settings.prefix, store_,
      make_secret_source(*settings.key, {.client = log_name, .key = "key"}, parts_.log),
      SharedParts{.timers = parts_.loop.timers(),
                  .entropy = parts_.entropy,
                  .log = parts_.log,
                  .metrics = metrics,
                  .memory = memory_});
  cache_->keys();
}

std::shared_ptr<TokenFetcher> SharedCaching::share(
    std::shared_ptr<TokenFetcher> server, const std::shared_ptr<const config::ClientSettings>& settings,
    const EndpointCredentials& credentials) const {
  if (!cache_) return server;
  return std::make_shared<SharedFetcher>(cache_, std::move(server), settings, credentials);
}

std::optional<SharedCacheStatus> SharedCaching::status() const {
  using State = SharedCacheStatus::State;
  if (!cache_) return std::nullopt;
  if (!cache_->has_keys()) return SharedCacheStatus{State::off, cache_->key_error()};
  return SharedCacheStatus{store_->available() ? State::up : State::down, store_->last_error()};
}

}  // namespace grantd::daemon
