#include "daemon/service/notifier.hpp"

#include <stdlib.h>
#include <systemd/sd-daemon.h>
#include <time.h>

#include <algorithm>
#include <charconv>

namespace grantd::daemon {
namespace {

constexpr std::chrono::milliseconds first_pause{20};
constexpr std::chrono::milliseconds longest_pause{2560};
// By then it is more than a manager that is busy.
constexpr std::chrono::milliseconds pause_to_tell_of{320};

std::string_view environment(const char* name) {
  const char* value = ::secure_getenv(name);
  return value != nullptr ? value : "";
}

// Nothing that is no number.
std::size_t number_of(std::string_view text) {
  std::size_t number = 0;
  const auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), number);
  return failed == std::errc{} && end == text.data() + text.size() ? number : 0;
}

// What orders a reload's messages for the service manager is CLOCK_MONOTONIC (sd_notify(3)).
std::string monotonic_microseconds() {
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  const auto since = std::chrono::seconds{now.tv_sec} + std::chrono::nanoseconds{now.tv_nsec};
  return std::to_string(std::chrono::duration_cast<std::chrono::microseconds>(since).count());
}

// Memory has nothing to poll for.
std::string holding(const std::string& name) { return "FDSTORE=1\nFDPOLL=0\nFDNAME=" + name; }

}  // namespace

Notifier::Notifier(common::TimerQueue& timers, common::Logger& log)
    : log_(log),
      has_manager_(!environment("NOTIFY_SOCKET").empty()),
      socket_(environment("NOTIFY_SOCKET")),
      pause_(first_pause),
      again_(timers, [this] { send_waiting(); }) {
  if (has_manager_) store_size_ = number_of(environment("FDSTORE"));
  std::uint64_t microseconds = 0;
  if (::sd_watchdog_enabled(0, &microseconds) > 0) watchdog_ = std::chrono::microseconds{microseconds};
}

void Notifier::ready(std::string_view status) { tell("READY=1\nSTATUS=" + std::string{status}); }

void Notifier::reloading() { tell("RELOADING=1\nMONOTONIC_USEC=" + monotonic_microseconds()); }

void Notifier::stopping(std::string_view status) { tell("STOPPING=1\nSTATUS=" + std::string{status}); }

void Notifier::alive() {
  if (has_manager_) static_cast<void>(socket_.send("WATCHDOG=1"));
}

void Notifier::hold(const std::string& name, int descriptor) { store({holding(name), descriptor}); }

bool Notifier::hold_now(const std::string& name, int descriptor) {
  if (!has_manager_) return false;
  // What is to be released yet may be what there is no room beside.
  if (!stored_.empty()) send_waiting();
  return stored_.empty() && !socket_.send(holding(name), descriptor);
}

void Notifier::release(const std::string& name) { store({"FDSTOREREMOVE=1\nFDNAME=" + name}); }

void Notifier::tell(std::string message) {
  if (!has_manager_) return;
  state_ = Message{std::move(message)};
  send_waiting();
}

void Notifier::store(Message message) {
  if (!has_manager_) return;
  stored_.push_back(std::move(message));
  send_waiting();
}

// How the daemon is goes first: the manager may be kept from holding a descriptor by other things than being
// busy.
void Notifier::send_waiting() {
  if (state_ && sent(*state_)) state_.reset();
  while (!stored_.empty() && sent(stored_.front())) stored_.pop_front();
  if (!state_ && stored_.empty()) {
    pause_ = first_pause;
    again_.disarm();
    return;
  }
  if (again_.armed()) return;
  if (pause_ == pause_to_tell_of)
    log_.warning("service_manager_silent", {{"detail", "it takes no messages: " + failure_.message()}});
  again_.arm_after(pause_);
  pause_ = std::min(2 * pause_, longest_pause);
}

bool Notifier::sent(const Message& message) {
  const std::error_code failure = socket_.send(message.text, message.descriptor);
  if (failure) failure_ = failure;
  return !failure;
}

}  // namespace grantd::daemon
