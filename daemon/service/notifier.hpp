#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

namespace grantd::daemon {

/// Tells the service manager that started the daemon how it is (sd_notify(3)). Without one, nothing happens.
/// A message that cannot be sent is lost: the daemon serves all the same. Any thread.
class Notifier {
 public:
  /// Reads `NOTIFY_SOCKET`, `WATCHDOG_USEC` and `WATCHDOG_PID`.
  Notifier();

  /// Up, or done with a reload. `status` is a sentence for `systemctl status`.
  void ready(std::string_view status) const;
  void reloading() const;
  void stopping(std::string_view status) const;
  /// Proof of progress.
  void alive() const;
  /// Gives the manager a descriptor to hold for the next process of this service, under a name without
  /// control characters and colons (FileDescriptorStoreMax= in the unit). Lost, like any message, where it
  /// cannot.
  void hold(const std::string& name, int descriptor) const;
  /// Has it close what it holds under the name.
  void release(const std::string& name) const;
  /// How many descriptors it holds at most, at least 8: $FDSTORE (systemd 254), else what the shipped unit
  /// asks for.
  std::size_t store_size() const;
  /// Whether there is a manager.
  bool has_manager() const { return has_manager_; }
  /// How long the service manager waits for `alive` before it takes the daemon for hung; nothing: it does
  /// not.
  std::optional<std::chrono::microseconds> watchdog() const { return watchdog_; }

 private:
  bool has_manager_;
  std::optional<std::chrono::microseconds> watchdog_;
};

}  // namespace grantd::daemon
