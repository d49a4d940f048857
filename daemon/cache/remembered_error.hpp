#pragma once

#include <chrono>
#include <optional>

#include "common/clock.hpp"
#include "common/error.hpp"

namespace grantd::daemon {

/// A failure that is answered again, without asking the server, until its time is over. Each failure in a row
/// doubles the time, from one second up to a bound; a success or `forget` begins anew. Pure: `now` is an
/// argument.
class RememberedError {
 public:
  /// Remembers `error` for the next step of the backoff, at most `bound`; or for `retry_after`, at most five
  /// minutes.
  void remember(common::Error error, common::BootTime now, std::chrono::seconds bound,
                std::optional<std::chrono::seconds> retry_after = std::nullopt);
  void forget();

  /// The error while it holds, `retry_after` set to the whole seconds left (at least one).
  std::optional<common::Error> current(common::BootTime now) const;
  /// The last failure, also when its time is over; nothing after a success.
  const std::optional<common::Error>& last() const { return error_; }
  /// When it ceases to hold.
  common::BootTime until() const { return until_; }

 private:
  std::optional<common::Error> error_;
  common::BootTime until_{};
  std::chrono::seconds step_{0};
};

}  // namespace grantd::daemon
