#pragma once

#include "daemon/loop/workers.hpp"
#include "daemon/oauth/endpoint_client.hpp"
#include "daemon/server/doctor_handler.hpp"

namespace grantd::daemon {

/// Walks the way to a token as the daemon itself goes it. What it finds out is told and forgotten: caches,
/// remembered errors and known endpoints stay as they are. Loop thread only.
class EndpointDoctor final : public Doctor {
 public:
  /// All of it outlives the doctor.
  EndpointDoctor(Loop& loop, Workers& workers, const common::Clock& clock, EndpointParts endpoint)
      : loop_(loop), workers_(workers), clock_(clock), endpoint_(std::move(endpoint)) {}

  awaitable<void> examine(std::shared_ptr<const config::ClientSettings> client, Tell tell) override;

 private:
  struct Visit;

  Loop& loop_;
  Workers& workers_;
  const common::Clock& clock_;
  EndpointParts endpoint_;
};

}  // namespace grantd::daemon
