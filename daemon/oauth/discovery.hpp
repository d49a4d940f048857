#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "common/log.hpp"
#include "common/timer_queue.hpp"
#include "daemon/http/transport.hpp"
#include "daemon/oauth/server_metadata.hpp"
#include "daemon/oauth/token_response.hpp"

namespace grantd::daemon {

/// Whose document is wanted, and over which connection.
struct DiscoveryTarget {
  MetadataRules rules;
  TransportOptions options;
  bool operator==(const DiscoveryTarget&) const = default;
};

/// For a definition with an issuer.
DiscoveryTarget discovery_target(const config::ClientSettings& client);

/// Finds out where an issuer's endpoints are (RFC 8414) and keeps it for an hour; after that what is known
/// goes on to serve until a newer document is there. Loop thread only.
class Discovery : public std::enable_shared_from_this<Discovery> {
 public:
  /// All of them outlive this object.
  Discovery(DiscoveryTarget target, common::TimerQueue& timers, Transport& transport, common::Logger& log);
  ~Discovery();

  using Found = std::expected<std::shared_ptr<const ServerMetadata>, FailedExchange>;
  using Done = std::move_only_function<void(Found)>;
  /// Calls `done` once, at once where the document is known, else when one shared lookup ends, at the latest
  /// shortly after the `deadline` of whoever caused it.
  void find(common::BootTime deadline, Done done);
  /// What is known did not work: the next `find` waits for a new document, and falls back on the old one.
  void doubt() { doubted_ = true; }

  const DiscoveryTarget& target() const { return target_; }

 private:
  void look_up(common::BootTime deadline);
  void ask();
  void land(std::size_t location, const std::expected<HttpResponse, TransportError>& outcome);
  void learn(ServerMetadata metadata);
  void give_up();
  void answer(const Found& found);

  const DiscoveryTarget target_;
  const std::vector<config::Url> locations_;
  common::TimerQueue& timers_;
  Transport& transport_;
  common::Logger& log_;

  std::shared_ptr<const ServerMetadata> known_;
  common::BootTime fresh_until_{};
  bool doubted_ = false;

  std::vector<Done> waiting_;
  bool looking_ = false;
  common::BootTime deadline_{};
  std::size_t location_ = 0;              // being asked
  std::vector<FailedExchange> failures_;  // of this lookup, one a location
};

/// The lookups of all definitions, so that those with the same issuer share one.
class Discoveries {
 public:
  Discoveries(common::TimerQueue& timers, Transport& transport, common::Logger& log)
      : timers_(timers), transport_(transport), log_(log) {}
  /// The one for this target, for as long as anybody holds it.
  std::shared_ptr<Discovery> of(const DiscoveryTarget& target);

 private:
  common::TimerQueue& timers_;
  Transport& transport_;
  common::Logger& log_;
  std::vector<std::weak_ptr<Discovery>> known_;
};

}  // namespace grantd::daemon
