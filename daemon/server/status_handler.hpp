#pragma once

#include <functional>

#include "daemon/metrics/metrics.hpp"
#include "daemon/server/handler.hpp"

namespace grantd::daemon {

/// `/metrics`.
awaitable<void> respond_with_metrics(Exchange& exchange, Metrics& metrics);
/// `/healthz`: the loop answers, so the daemon is alive.
awaitable<void> respond_alive(Exchange& exchange);
/// `/readyz`.
awaitable<void> respond_readiness(Exchange& exchange, bool ready);

}  // namespace grantd::daemon
