#include "daemon/loop/watched_fd.hpp"

#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include <cerrno>

#include "daemon/loop/loop.hpp"

namespace grantd::daemon {
namespace {

constexpr std::uint32_t input = EPOLLIN | EPOLLPRI | EPOLLRDHUP | EPOLLET;

}  // namespace

void WatchedFd::open(common::UniqueFd descriptor, Watch what) {
  close();
  may_read_ = ended_ = hung_up_ = urgent_ = false;
  watches_output_ = what == Watch::input_and_output;
  const int fd = descriptor.get();
  const int flags = ::fcntl(fd, F_GETFL);
  if ((flags & O_NONBLOCK) == 0) ::fcntl(fd, F_SETFL, flags | O_NONBLOCK);
  if (loop_.watch(EPOLL_CTL_ADD, fd, watches_output_ ? input | EPOLLOUT : input, *this))
    descriptor_ = std::move(descriptor);
}

void WatchedFd::close() {
  if (!descriptor_) return;
  loop_.forget(*this);
  descriptor_.reset();
  interrupt(readers_);
  interrupt(writers_);
}

WatchedFd::Wait WatchedFd::writable() {
  // Watched from the first wait on only: every byte that a local caller reads would be told of.
  if (descriptor_ && !watches_output_) {
    watches_output_ = true;
    loop_.watch(EPOLL_CTL_MOD, descriptor_.get(), input | EPOLLOUT, *this);
  }
  return {*this, writers_, nullptr};
}

std::optional<ssize_t> WatchedFd::receive(std::span<char> into) {
  while (true) {
    iovec room{.iov_base = into.data(), .iov_len = into.size()};
    msghdr message{};
    message.msg_iov = &room;
    message.msg_iovlen = 1;
    const ssize_t got = ::recvmsg(descriptor_.get(), &message, MSG_DONTWAIT);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
      nothing_to_read();
      return std::nullopt;
    }
    // Less than there was room for is all there was (epoll(7)), unless the kernel stopped at something that
    // goes with the bytes: descriptors, which are dropped here, or a mark of urgent data.
    const bool stopped = urgent_ || (message.msg_flags & MSG_CTRUNC) != 0;
    if (got > 0 && static_cast<std::size_t>(got) < into.size() && !stopped) nothing_to_read();
    return got;
  }
}

void WatchedFd::interrupt(WaiterList& waiting) {
  while (!waiting.empty()) {
    Waiter& waiter = waiting.pop();
    waiter.interrupt();
    resumable().push(waiter);
  }
}

void WatchedFd::happened(std::uint32_t events) {
  if ((events & (EPOLLHUP | EPOLLERR)) != 0) {
    hung_up_ = true;
    if (on_hung_up_) on_hung_up_();
  }
  if ((events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0) ended_ = true;
  if ((events & EPOLLPRI) != 0) urgent_ = true;
  if ((events & (EPOLLOUT | EPOLLHUP | EPOLLERR)) != 0) resumable().take(writers_);
  if ((events & (EPOLLIN | EPOLLPRI | EPOLLRDHUP | EPOLLHUP | EPOLLERR)) == 0) return;
  may_read_ = true;
  if (readers_.empty()) {
    if (on_readable_) on_readable_();
    return;
  }
  Waiter& first = readers_.pop();
  resumable().take(readers_);
  first.resume();  // may destroy this
}

}  // namespace grantd::daemon
