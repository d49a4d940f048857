#pragma once

#include <netdb.h>

#include <expected>
#include <memory>
#include <string>

#include "common/clock.hpp"
#include "common/unique_fd.hpp"

namespace grantd::daemon {

/// The addresses of a host, in the order in which they are to be tried; never empty.
class ResolvedHost {
 public:
  /// `host` is a name or a literal address, IPv6 without brackets. Blocking, and cannot be interrupted.
  /// Error: a sentence that names the host.
  static std::expected<ResolvedHost, std::string> look_up(const std::string& host, std::uint16_t port);

  /// The addresses as people write them, with commas between them.
  std::string text() const;
  const addrinfo* first() const { return list_.get(); }

 private:
  struct Free {
    void operator()(addrinfo* list) const { ::freeaddrinfo(list); }
  };
  explicit ResolvedHost(addrinfo* list) : list_(list) {}
  std::unique_ptr<addrinfo, Free> list_;
};

/// Connects to whichever of the addresses answers first, as `connect_to` does. `where` is for the error.
std::expected<common::UniqueFd, std::string> connect_to(const ResolvedHost& host, const std::string& where,
                                                        const common::Clock& clock,
                                                        common::BootClock::duration connect_timeout,
                                                        common::BootTime deadline);

/// Resolves `host` (a name or a literal address, IPv6 without brackets) and connects to whichever of its
/// addresses answers first, trying the next one while the last is still silent. The socket is non-blocking.
/// Blocking; gives up `connect_timeout` after the name lookup's end and at `deadline`. The lookup itself
/// cannot be interrupted. For a worker's thread. Error: a sentence that names host and port.
std::expected<common::UniqueFd, std::string> connect_to(const std::string& host, std::uint16_t port,
                                                        const common::Clock& clock,
                                                        common::BootClock::duration connect_timeout,
                                                        common::BootTime deadline);

/// Milliseconds for poll(2) until `deadline`, rounded up; 0 once it has passed.
int poll_timeout(const common::Clock& clock, common::BootTime deadline);

}  // namespace grantd::daemon
