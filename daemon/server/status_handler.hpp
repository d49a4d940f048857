#pragma once

#include <functional>
#include <memory>
#include <string>

#include "daemon/server/handler.hpp"

namespace grantd::daemon {

/// What `/metrics` shows at present; resumes on the loop's thread.
using Scrape = std::function<awaitable<std::shared_ptr<const std::string>>()>;

/// `/metrics`.
awaitable<void> respond_with_metrics(Exchange& exchange, const Scrape& scrape);
/// `/healthz`: the loop answers, so the daemon is alive.
awaitable<void> respond_alive(Exchange& exchange);
/// `/readyz`.
awaitable<void> respond_readiness(Exchange& exchange, bool ready);

}  // namespace grantd::daemon
