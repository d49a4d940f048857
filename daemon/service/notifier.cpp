#include "daemon/service/notifier.hpp"

#include <stdlib.h>
#include <systemd/sd-daemon.h>
#include <time.h>

#include <algorithm>
#include <charconv>
#include <cstring>
#include <string>

namespace grantd::daemon {
namespace {

void notify(const std::string& message) { ::sd_notify(0, message.c_str()); }

// What orders a reload's messages for the service manager is CLOCK_MONOTONIC (sd_notify(3)).
std::string monotonic_microseconds() {
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  const auto since = std::chrono::seconds{now.tv_sec} + std::chrono::nanoseconds{now.tv_nsec};
  return std::to_string(std::chrono::duration_cast<std::chrono::microseconds>(since).count());
}

}  // namespace

Notifier::Notifier() : has_manager_(::secure_getenv("NOTIFY_SOCKET") != nullptr) {
  std::uint64_t microseconds = 0;
  if (::sd_watchdog_enabled(0, &microseconds) > 0) watchdog_ = std::chrono::microseconds{microseconds};
}

void Notifier::ready(std::string_view status) const { notify("READY=1\nSTATUS=" + std::string{status}); }

void Notifier::reloading() const { notify("RELOADING=1\nMONOTONIC_USEC=" + monotonic_microseconds()); }

void Notifier::stopping(std::string_view status) const {
  notify("STOPPING=1\nSTATUS=" + std::string{status});
}

void Notifier::hold(const std::string& name, int descriptor) const {
  // Memory has nothing to poll for.
  const std::string message = "FDSTORE=1\nFDPOLL=0\nFDNAME=" + name;
  ::sd_pid_notify_with_fds(0, 0, message.c_str(), &descriptor, 1);
}

std::size_t Notifier::store_size() const {
  constexpr std::size_t of_the_shipped_unit = 4096;
  constexpr std::size_t least = 8;
  const char* told = ::secure_getenv("FDSTORE");
  std::size_t size = of_the_shipped_unit;
  if (told != nullptr) std::from_chars(told, told + std::strlen(told), size);
  return std::max(size, least);
}

void Notifier::release(const std::string& name) const { notify("FDSTOREREMOVE=1\nFDNAME=" + name); }

void Notifier::alive() const { notify("WATCHDOG=1"); }

}  // namespace grantd::daemon
