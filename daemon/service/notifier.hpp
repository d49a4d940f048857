#pragma once

#include <chrono>
#include <deque>
#include <optional>
#include <string>
#include <string_view>

#include "common/log.hpp"
#include "common/timer_queue.hpp"
#include "daemon/service/notify_socket.hpp"

namespace grantd::daemon {

/// Tells the service manager that started the daemon how it is (sd_notify(3)). Without one, nothing happens.
/// Nothing waits for the manager: what it does not take at once is offered again, later and ever less often,
/// for as long as the process lives, and only the latest word on how the daemon is. Loop thread only.
class Notifier {
 public:
  /// Reads `NOTIFY_SOCKET`, `FDSTORE`, `WATCHDOG_USEC` and `WATCHDOG_PID`. Both outlive this.
  Notifier(common::TimerQueue& timers, common::Logger& log);

  /// Up, or done with a reload. `status` is a sentence for `systemctl status`.
  void ready(std::string_view status);
  void reloading();
  void stopping(std::string_view status);
  /// Proof of progress; not offered again.
  void alive();

  /// Gives the manager a descriptor to hold for the next process of this service, under a name without
  /// control characters and colons. It stays open for as long as this lives.
  void hold(const std::string& name, int descriptor);
  /// The same, now or not at all. True: the message is the manager's, also if this process is killed; whether
  /// it has room is for `store_size` to say.
  [[nodiscard]] bool hold_now(const std::string& name, int descriptor);
  /// Has it close what it holds under the name.
  void release(const std::string& name);
  /// How many descriptors it has said that it holds at most: $FDSTORE, of systemd from 254 on, else of the
  /// unit. 0 where nobody said so.
  std::size_t store_size() const { return store_size_; }

  /// Whether there is a manager.
  bool has_manager() const { return has_manager_; }
  /// How long the service manager waits for `alive` before it takes the daemon for hung; nothing: it does
  /// not.
  std::optional<std::chrono::microseconds> watchdog() const { return watchdog_; }

 private:
  struct Message {
    std::string text;
    int descriptor = -1;
  };

  void tell(std::string message);
  void store(Message message);
  /// Sends what waits, as far as the manager takes it.
  void send_waiting();
  bool sent(const Message& message);

  common::Logger& log_;
  bool has_manager_;
  NotifySocket socket_;
  std::size_t store_size_ = 0;
  std::optional<std::chrono::microseconds> watchdog_;

  std::optional<Message> state_;  // the latest that waits
  std::deque<Message> stored_;    // about the descriptor store: in order, as names may be used again
  std::chrono::milliseconds pause_;
  std::error_code failure_;
  common::Timer again_;
};

}  // namespace grantd::daemon
