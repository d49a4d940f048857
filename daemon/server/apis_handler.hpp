#pragma once

#include "daemon/catalog/catalog.hpp"
#include "daemon/server/handler.hpp"

namespace grantd::daemon {

/// `/v1/apis`: the APIs that the caller may use. Loop thread only; its parts outlive it.
class ApisHandler {
 public:
  ApisHandler(CurrentCatalog& catalog, common::TimerQueue& timers) : catalog_(catalog), timers_(timers) {}

  awaitable<void> list(Exchange& exchange);

 private:
  CurrentCatalog& catalog_;
  common::TimerQueue& timers_;
};

}  // namespace grantd::daemon
