// The kernel's own timers for poll and the like run on CLOCK_MONOTONIC, which stops while the machine sleeps;
// a token's life does not. So all deadlines hang on one timerfd of the boot clock.
#include "daemon/loop/loop.hpp"

#include <sys/eventfd.h>
#include <sys/timerfd.h>

#include <algorithm>
#include <cerrno>
#include <system_error>

namespace grantd::daemon {
namespace {

common::UniqueFd made(int fd, const char* how) {
  if (fd < 0) throw std::system_error(errno, std::system_category(), how);
  return common::UniqueFd{fd};
}

void read_counter(const WatchedFd& descriptor) {
  std::uint64_t count = 0;
  [[maybe_unused]] const auto got = ::read(descriptor.get(), &count, sizeof count);
}

}  // namespace

/// The coroutine that holds a spawned one and what is to be called at its end; its promise is the list's
/// link.
class Loop::Spawned {
 public:
  struct Parts {
    Ended ended;
    awaitable<> coroutine;  // destroyed first
  };
  struct Frame {
    struct promise_type;
  };

  explicit Spawned(Loop& loop) : link_(&loop.spawned_), next_(loop.spawned_) {
    loop.spawned_ = this;
    if (next_ != nullptr) next_->link_ = &next_;
  }
  ~Spawned() {
    *link_ = next_;
    if (next_ != nullptr) next_->link_ = link_;
  }
  Spawned(const Spawned&) = delete;
  Spawned& operator=(const Spawned&) = delete;

  static Frame hold(Loop&, Parts parts);
  void destroy();

 private:
  Spawned** link_;
  Spawned* next_;
};

struct Loop::Spawned::Frame::promise_type : Spawned {
  promise_type(Loop& loop, Parts&) : Spawned(loop) {}
  Frame get_return_object() { return {}; }
  std::suspend_never initial_suspend() noexcept { return {}; }
  std::suspend_never final_suspend() noexcept { return {}; }
  void return_void() noexcept {}
  [[noreturn]] void unhandled_exception() noexcept { std::terminate(); }
};

Loop::Spawned::Frame Loop::Spawned::hold(Loop&, Parts parts) {
  std::exception_ptr failure;
  try {
    co_await parts.coroutine;
  } catch (...) {
    failure = std::current_exception();
  }
  parts.ended(failure);
}

void Loop::Spawned::destroy() {
  auto& promise = static_cast<Frame::promise_type&>(*this);
  std::coroutine_handle<Frame::promise_type>::from_promise(promise).destroy();
}

Loop::Loop(const common::Clock& clock)
    : timers_(clock), epoll_(made(::epoll_create1(EPOLL_CLOEXEC), "epoll_create1")) {
  alarm_.open(made(::timerfd_create(CLOCK_BOOTTIME, TFD_NONBLOCK | TFD_CLOEXEC), "timerfd_create"));
  alarm_.on_readable([this] { ring(); });
  woken_.open(made(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC), "eventfd"));
  woken_.on_readable([this] { read_counter(woken_); });
  timers_.on_earlier_wakeup([this] { set_alarm(); });
}

Loop::~Loop() {
  while (spawned_ != nullptr) spawned_->destroy();
}

void Loop::post(std::move_only_function<void()> action) {
  {
    const std::lock_guard lock{mutex_};
    posted_.push_back(std::move(action));
  }
  if (!anything_posted_.exchange(true)) wake();
}

void Loop::wake() {
  const std::uint64_t one = 1;
  [[maybe_unused]] const auto written = ::write(woken_.get(), &one, sizeof one);
}

void Loop::spawn(awaitable<> coroutine, Ended ended) {
  Spawned::hold(*this, {.ended = std::move(ended), .coroutine = std::move(coroutine)});
}

void Loop::run() {
  while (!stopped_.load(std::memory_order_relaxed)) turn_for(-1);
  stopped_ = false;
}

void Loop::stop() {
  stopped_ = true;
  wake();
}

void Loop::turn(std::chrono::milliseconds longest) { turn_for(static_cast<int>(longest.count())); }

void Loop::turn_for(int milliseconds) {
  const bool busy = !resumable().empty() || anything_posted_.load(std::memory_order_relaxed);
  const int ready =
      ::epoll_wait(epoll_.get(), events_.data(), static_cast<int>(events_.size()), busy ? 0 : milliseconds);
  event_count_ = static_cast<std::size_t>(std::max(ready, 0));
  for (event_ = 0; event_ < event_count_;) {
    const epoll_event& event = events_[event_++];
    if (event.data.ptr != nullptr) static_cast<WatchedFd*>(event.data.ptr)->happened(event.events);
  }
  event_ = event_count_ = 0;
  // What comes to these lists meanwhile has its turn after the kernel was asked again.
  WaiterList now;
  now.take(resumable());
  while (!now.empty()) now.pop().resume();
  if (anything_posted_.load(std::memory_order_relaxed)) run_posted();
}

void Loop::run_posted() {
  anything_posted_ = false;
  std::vector<std::move_only_function<void()>> actions;
  {
    const std::lock_guard lock{mutex_};
    actions.swap(posted_);
  }
  for (auto& action : actions) std::exchange(action, nullptr)();
}

bool Loop::watch(int operation, int descriptor, std::uint32_t events, WatchedFd& watched) {
  epoll_event event{};
  event.events = events;
  event.data.ptr = &watched;
  return ::epoll_ctl(epoll_.get(), operation, descriptor, &event) == 0;
}

void Loop::forget(const WatchedFd& watched) {
  ::epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, watched.get(), nullptr);
  for (std::size_t i = event_; i < event_count_; ++i) {
    if (events_[i].data.ptr == &watched) events_[i].data.ptr = nullptr;
  }
}

void Loop::set_alarm() {
  itimerspec setting{};
  if (const auto next = timers_.next_wakeup()) {
    const auto since_boot = std::max(next->time_since_epoch(), common::BootClock::duration{1});
    const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(since_boot);
    setting.it_value.tv_sec = seconds.count();
    setting.it_value.tv_nsec = (since_boot - seconds).count();
  }
  ::timerfd_settime(alarm_.get(), TFD_TIMER_ABSTIME, &setting, nullptr);
}

void Loop::ring() {
  read_counter(alarm_);
  timers_.run_due();
  set_alarm();
}

}  // namespace grantd::daemon
