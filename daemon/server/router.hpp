#pragma once

#include <expected>
#include <functional>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "common/entropy.hpp"
#include "common/log.hpp"
#include "config/load.hpp"
#include "daemon/cache/shared_cache_status.hpp"
#include "daemon/catalog/catalog.hpp"
#include "daemon/server/doctor_handler.hpp"
#include "daemon/server/handler.hpp"
#include "daemon/server/status_handler.hpp"

namespace grantd::daemon {

using ReloadResult = std::expected<void, std::vector<config::ConfigError>>;

/// What the routes of the local API work with; all of it outlives the router.
struct RouterParts {
  common::TimerQueue& timers;
  common::Entropy& entropy;
  common::Logger& log;
  CurrentCatalog& catalog;
  AuditLog& audit;
  ApiHandler& apis;
  Doctor& doctor;
  /// Reads the configuration again; resumes when the new one is in force or refused.
  std::function<awaitable<ReloadResult>()> reload;
  Scrape metrics;
  /// What `/readyz` tells.
  std::function<bool()> ready;
  /// Nothing where no shared cache is configured.
  std::function<std::optional<SharedCacheStatus>()> shared_cache;
};

/// Every route of the Unix socket: the daemon's own and, by `Host` or `/v1/proxy/`, the APIs'. Loop thread
/// only.
class Router final : public Handler {
 public:
  explicit Router(RouterParts parts);
  ~Router() override;
  awaitable<void> handle(Exchange& exchange) override;

 private:
  struct Routes;
  std::unique_ptr<Routes> routes_;
};

/// What the address of `metrics_listen` serves: /metrics and nothing else.
class MetricsOnlyHandler final : public Handler {
 public:
  explicit MetricsOnlyHandler(Scrape metrics) : metrics_(std::move(metrics)) {}
  awaitable<void> handle(Exchange& exchange) override;

 private:
  const Scrape metrics_;
};

}  // namespace grantd::daemon
