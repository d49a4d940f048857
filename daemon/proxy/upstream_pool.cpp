// The last used connection is taken first, so that a quiet time lets the surplus grow old and go. Servers
// close idle connections when they please; what they announce is believed with a second to spare, the rest is
// found out before use.
#include "daemon/proxy/upstream_pool.hpp"

#include <algorithm>
#include <charconv>

namespace grantd::daemon {

namespace {

const config::Url& next_hop(const config::ApiSettings& settings) {
  return settings.http_proxy ? *settings.http_proxy : settings.base_url;
}

}  // namespace

UpstreamPool::UpstreamPool(std::shared_ptr<const config::ApiSettings> settings, Loop& loop, Workers& workers,
                           common::Logger& log)
    : settings_(std::move(settings)),
      loop_(loop),
      log_(log),
      resolver_(loop, workers, next_hop(*settings_).host, next_hop(*settings_).port) {
  expiry_.emplace(loop.timers(), [this] { drop_expired(); });
}

UpstreamPool::~UpstreamPool() { shut_down(); }

UpstreamPool::Connection UpstreamPool::make() {
  auto forget = [weak = weak_from_this()](UpstreamConnection* connection) {
    if (const auto pool = weak.lock()) pool->alive_.erase(connection);
    delete connection;
  };
  Connection made{new UpstreamConnection(loop_), std::move(forget)};
  alive_.insert(made.get());
  return made;
}

UpstreamPool::Connection UpstreamPool::take_idle(Certainty certainty) {
  const auto now = loop_.timers().now();
  while (!idle_.empty()) {
    Idle idle = std::move(idle_.back());
    idle_.pop_back();
    UpstreamConnection& connection = *idle.connection;
    const bool stale = certainty == Certainty::asked ? connection.stale_by_now() : connection.stale();
    if (idle.until > now && !stale) return std::move(idle.connection);
    idle.connection->close();
  }
  return nullptr;
}

awaitable<common::Result<void>> UpstreamPool::open(Connection connection) {
  const auto self = shared_from_this();
  const auto settings = settings_;
  if (settings->base_url.tls) {
    if (auto made = renew_tls(*settings); !made) co_return std::unexpected(std::move(made.error()));
  }
  const auto addresses = co_await resolver_.resolve(settings->connect_timeout);
  if (!addresses) co_return std::unexpected(addresses.error());
  const auto tls = tls_;
  const bool tunnel = settings->http_proxy && settings->base_url.tls;
  const UpstreamConnection::Layers layers{.tunnel_to = tunnel ? &settings->base_url : nullptr,
                                          .tls = tls.get()};
  co_return co_await connection->connect(*addresses, layers, settings->connect_timeout);
}

common::Result<void> UpstreamPool::renew_tls(const config::ApiSettings& settings) {
  std::string state = state_of_files(settings.tls);
  if (tls_ && tls_files_ == state) return {};
  auto made = TlsContext::for_client(settings.base_url.host, settings.tls);
  if (made) {
    tls_ = std::move(*made);
    tls_files_ = std::move(state);
  }
  // A certificate that is just being replaced does not take away the one that works.
  if (!made && !tls_) return common::fail(common::ErrorCode::api_unreachable, std::move(made.error()));
  return {};
}

void UpstreamPool::put_back(Connection connection, std::optional<std::chrono::seconds> api_keeps) {
  const auto now = loop_.timers().now();
  const auto keep = api_keeps ? std::min(idle_time, *api_keeps - std::chrono::seconds{1}) : idle_time;
  const bool old = now - connection->opened() > greatest_age;
  if (retired_ || old || keep.count() <= 0 || !connection->is_open()) return connection->close();
  if (idle_.size() >= max_idle) {
    idle_.front().connection->close();
    idle_.erase(idle_.begin());
  }
  const auto until = now + keep;
  idle_.push_back({.connection = std::move(connection), .until = until});
  if (!expiry_->armed()) expiry_->arm(until);
}

void UpstreamPool::drop_expired() {
  const auto now = loop_.timers().now();
  std::erase_if(idle_, [now](Idle& idle) {
    if (idle.until > now) return false;
    idle.connection->close();
    return true;
  });
  if (idle_.empty()) return;
  const auto next = std::ranges::min_element(idle_, {}, &Idle::until);
  expiry_->arm(next->until);
}

void UpstreamPool::report(const common::Error* failure) {
  if (failure == nullptr) {
    if (std::exchange(failing_, false)) log_.info("api_works_again", {{"api", settings_->name}});
    return;
  }
  const auto level = std::exchange(failing_, true) ? common::LogLevel::debug : common::LogLevel::warning;
  log_.write(level, "api_failed",
             {{"api", settings_->name}, {"code", common::name(failure->code)}, {"detail", failure->detail}});
}

void UpstreamPool::retire() {
  retired_ = true;
  for (Idle& idle : idle_) idle.connection->close();
  idle_.clear();
}

void UpstreamPool::shut_down() {
  retired_ = true;
  for (Idle& idle : idle_) idle.connection->close();
  for (UpstreamConnection* connection : alive_) connection->detach_from_timers();
  alive_.clear();
  idle_.clear();
  resolver_.shut_down();
  expiry_.reset();
}

std::optional<std::chrono::seconds> keep_alive_timeout(std::string_view value) {
  constexpr std::string_view key = "timeout=";
  const auto at = value.find(key);
  if (at == std::string_view::npos) return std::nullopt;
  const char* const begin = value.data() + at + key.size();
  unsigned seconds = 0;
  const auto [end, failed] = std::from_chars(begin, value.data() + value.size(), seconds);
  if (failed != std::errc{}) return std::nullopt;
  return std::chrono::seconds{std::min(seconds, 3600U)};
}

}  // namespace grantd::daemon
