// A stop token is turned into a readable descriptor, so that one poll waits for the daemon, the deadline and
// the caller's change of mind alike, and no thread is needed.
#include "client-lib/src/call_wait.hpp"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>

#include "grantd/error.hpp"

namespace grantd::detail {
namespace {

using std::chrono::milliseconds;

[[noreturn]] void throw_cancelled() { throw Error("cancelled", "the call was cancelled by its caller"); }

}  // namespace

CallWait::CallWait(milliseconds timeout, std::stop_token stop)
    : timeout_(timeout), deadline_(Clock::now() + timeout), stop_(std::move(stop)) {
  check();
  if (!stop_.stop_possible()) return;
  // A pipe, for an eventfd has no inode to be known by.
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC | O_NONBLOCK) != 0)
    throw Error("internal_error", "the process has no file descriptor left");
  woken_ = OwnDescriptor{ends[0]};
  wake_ = OwnDescriptor{ends[1]};
  on_stop_.emplace(stop_, [this] {
    // Cannot fail: the pipe is empty.
    if (wake_.is_intact()) static_cast<void>(!::write(wake_.get(), "", 1));
  });
}

void CallWait::check() const {
  if (stop_.stop_requested()) throw_cancelled();
}

short CallWait::ready(int fd, short events) {
  const auto ready = wait(fd, events, deadline_);
  if (!ready) throw_timeout();
  return *ready;
}

void CallWait::pause(milliseconds duration) {
  const auto end = Clock::now() + duration;
  wait(-1, 0, std::min(end, deadline_));
  if (end >= deadline_) throw_timeout();
}

std::optional<short> CallWait::wait(int fd, short events, Clock::time_point until) const {
  // Without a stop token the second descriptor is -1, which poll ignores.
  std::array<pollfd, 2> waited{pollfd{.fd = fd, .events = events, .revents = 0},
                               pollfd{.fd = woken_.get(), .events = POLLIN, .revents = 0}};
  while (true) {
    const auto left = std::chrono::ceil<milliseconds>(until - Clock::now());
    if (left <= milliseconds{0}) return std::nullopt;
    const auto bounded = static_cast<int>(std::min<milliseconds::rep>(left.count(), 60'000));
    const int count = ::poll(waited.data(), waited.size(), bounded);
    if (count < 0 && errno != EINTR) throw Error("internal_error", "waiting for the daemon failed");
    if (count <= 0) continue;
    if (waited[1].revents != 0) {
      check();
      waited[1].fd = -1;  // somebody else's by now
    }
    return waited[0].revents;
  }
}

void CallWait::throw_timeout() const {
  throw Error("timeout", "no answer within " + std::to_string(timeout_.count()) + " ms");
}

}  // namespace grantd::detail
