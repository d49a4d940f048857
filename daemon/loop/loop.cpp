// Asio's own timers run on CLOCK_MONOTONIC, which stops while the machine sleeps; a token's life does not. So
// all deadlines hang on one timerfd of the boot clock.
#include "daemon/loop/loop.hpp"

#include <sys/timerfd.h>

#include <boost/asio/post.hpp>
#include <system_error>

namespace grantd::daemon {
namespace {

int make_alarm() {
  const int fd = ::timerfd_create(CLOCK_BOOTTIME, TFD_NONBLOCK | TFD_CLOEXEC);
  if (fd < 0) throw std::system_error(errno, std::system_category(), "timerfd_create");
  return fd;
}

}  // namespace

Loop::Loop(const common::Clock& clock) : timers_(clock), alarm_(context_.get_executor(), make_alarm()) {
  timers_.on_earlier_wakeup([this] { set_alarm(); });
  wait_for_alarm();
}

void Loop::post(std::move_only_function<void()> action) { asio::post(context_, std::move(action)); }

void Loop::run() {
  const auto keep_running = asio::make_work_guard(context_);
  context_.run();
}

void Loop::set_alarm() {
  itimerspec setting{};
  if (const auto next = timers_.next_wakeup()) {
    const auto since_boot = std::max(next->time_since_epoch(), common::BootClock::duration{1});
    const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(since_boot);
    setting.it_value.tv_sec = seconds.count();
    setting.it_value.tv_nsec = (since_boot - seconds).count();
  }
  ::timerfd_settime(alarm_.native_handle(), TFD_TIMER_ABSTIME, &setting, nullptr);
}

void Loop::wait_for_alarm() {
  alarm_.async_wait(asio::posix::descriptor_base::wait_read, [this](const boost::system::error_code& error) {
    if (error) return;
    std::uint64_t expirations = 0;
    [[maybe_unused]] const auto got = ::read(alarm_.native_handle(), &expirations, sizeof expirations);
    timers_.run_due();
    set_alarm();
    wait_for_alarm();
  });
}

}  // namespace grantd::daemon
