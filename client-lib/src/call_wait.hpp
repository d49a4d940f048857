#pragma once

#include <chrono>
#include <functional>
#include <optional>
#include <stop_token>

#include "client-lib/src/own_descriptor.hpp"

namespace grantd::detail {

/// The patience of one call: its deadline and its caller's stop token. One thread at a time.
class CallWait {
 public:
  using Clock = std::chrono::steady_clock;

  /// `timeout` counts from now. Needs two descriptors where `stop` can stop at all.
  CallWait(std::chrono::milliseconds timeout, std::stop_token stop);
  CallWait(const CallWait&) = delete;
  CallWait& operator=(const CallWait&) = delete;

  /// Waits until `fd` has one of `events` (as in poll) and returns what it has. Throws Error "cancelled" as
  /// soon as the caller stops the call, "timeout" once the deadline has passed.
  short ready(int fd, short events);
  /// Waits for `duration`; throws in the same two cases.
  void pause(std::chrono::milliseconds duration);
  /// Throws where the call has been stopped already.
  void check() const;
  /// Gives the deadline its whole timeout again: something has happened.
  void restart() { deadline_ = Clock::now() + timeout_; }

 private:
  /// Nothing when `until` has passed.
  std::optional<short> wait(int fd, short events, Clock::time_point until) const;
  [[noreturn]] void throw_timeout() const;

  std::chrono::milliseconds timeout_;
  Clock::time_point deadline_;
  std::stop_token stop_;
  OwnDescriptor woken_;                                               // readable once stopped
  OwnDescriptor wake_;                                                // its other end
  std::optional<std::stop_callback<std::function<void()>>> on_stop_;  // goes before what it writes to
};

}  // namespace grantd::detail
