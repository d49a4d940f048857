#pragma once

#include <boost/asio/ip/tcp.hpp>
#include <chrono>
#include <list>
#include <memory>
#include <string>
#include <vector>

#include "common/error.hpp"
#include "daemon/loop/signal.hpp"
#include "daemon/loop/workers.hpp"

namespace grantd::daemon {

using Addresses = std::vector<boost::asio::ip::tcp::endpoint>;

/// Finds the addresses of one host. A literal address needs no look-up; a name is looked up on a worker, once
/// for all who wait, and remembered for a few seconds. Loop thread only.
class Resolver {
 public:
  Resolver(Loop& loop, Workers& workers, std::string host, std::uint16_t port);
  ~Resolver();
  Resolver(const Resolver&) = delete;
  Resolver& operator=(const Resolver&) = delete;

  /// Of both families in turn, in the system's order of preference. Errors: `api_unreachable` for a name that
  /// has no address, `api_timeout` when nobody answered within `timeout` of the look-up's start.
  awaitable<common::Result<Addresses>> resolve(std::chrono::milliseconds timeout);

  /// Ends a look-up under way and needs the loop's timers no more; for the end of the daemon.
  void shut_down();

 private:
  struct Lookup;
  void start(std::chrono::milliseconds timeout);

  Loop& loop_;
  Workers& workers_;
  std::string host_;
  std::uint16_t port_;
  Addresses known_;
  bool literal_ = false;
  common::BootTime known_until_{};
  std::shared_ptr<Lookup> lookup_;
};

/// Reorders so that families alternate, the first one's staying first (RFC 8305 section 4).
void alternate_families(Addresses& addresses);

}  // namespace grantd::daemon
