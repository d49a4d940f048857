// Time limits of single operations add up without end against a server that sends a byte now and then; a
// deadline does not. So each wait is for what is left of it.
#include "daemon/http/timed_socket.hpp"

#include <poll.h>
#include <sys/socket.h>

#include <cerrno>

#include "daemon/http/connector.hpp"

namespace grantd::daemon {

namespace {

bool would_block() { return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR; }

}  // namespace

bool TimedSocket::wait(short events) {
  while (true) {
    const int timeout = poll_timeout(clock_, deadline_);
    pollfd waiting{.fd = socket_.get(), .events = events, .revents = 0};
    const int ready = timeout == 0 ? 0 : ::poll(&waiting, 1, timeout);
    if (ready > 0) return true;
    if (ready < 0 && errno != EINTR) return false;
    if (clock_.now() >= deadline_) {
      timed_out_ = true;
      return false;
    }
  }
}

bool TimedSocket::wait_for(const TlsStream::Progress& progress) {
  using Kind = TlsStream::Progress::Kind;
  if (progress.kind == Kind::want_read) return wait(POLLIN);
  if (progress.kind == Kind::want_write) return wait(POLLOUT);
  return false;
}

std::expected<void, std::string> TimedSocket::secure(TlsContext& context) {
  tls_ = context.connect(socket_.get());
  if (!tls_) return std::unexpected(std::string{"TLS could not be set up"});
  while (true) {
    const auto progress = tls_->handshake();
    if (progress.kind == TlsStream::Progress::Kind::done) return {};
    if (!wait_for(progress)) {
      return std::unexpected(timed_out_ ? std::string{"the TLS handshake was not complete in time"}
                                        : tls_->failure());
    }
  }
}

std::optional<std::size_t> TimedSocket::read(std::span<char> into) {
  while (clock_.now() < deadline_) {
    if (tls_) {
      const auto progress = tls_->read(into);
      if (progress.kind == TlsStream::Progress::Kind::done) return progress.size;
      if (progress.kind == TlsStream::Progress::Kind::closed) return 0;
      if (!wait_for(progress)) return std::nullopt;
    } else {
      const ssize_t got = ::recv(socket_.get(), into.data(), into.size(), 0);
      if (got >= 0) return static_cast<std::size_t>(got);
      if (!would_block() || !wait(POLLIN)) return std::nullopt;
    }
  }
  timed_out_ = true;
  return std::nullopt;
}

bool TimedSocket::write(std::string_view bytes) {
  while (!bytes.empty()) {
    if (clock_.now() >= deadline_) {
      timed_out_ = true;
      return false;
    }
    if (tls_) {
      const auto progress = tls_->write(bytes);
      if (progress.kind == TlsStream::Progress::Kind::done) {
        bytes.remove_prefix(progress.size);
      } else if (!wait_for(progress)) {
        return false;
      }
    } else {
      const ssize_t sent = ::send(socket_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (sent >= 0) {
        bytes.remove_prefix(static_cast<std::size_t>(sent));
      } else if (!would_block() || !wait(POLLOUT)) {
        return false;
      }
    }
  }
  return true;
}

}  // namespace grantd::daemon
