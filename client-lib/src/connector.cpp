// Sending and receiving happen side by side: an API may answer before it has read the whole body, and one
// that echoes it must be read from while it is written to, or both would wait for ever.
#include "client-lib/src/connector.hpp"

#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "client-lib/src/response_parser.hpp"
#include "common/local_api.hpp"

namespace grantd::detail {
namespace {

using std::chrono::milliseconds;
using SteadyClock = std::chrono::steady_clock;

// How long a daemon that was there before is waited for. A restart takes a fraction of it.
constexpr milliseconds restart_patience{2000};
constexpr milliseconds longest_timeout = std::chrono::hours{24 * 365};

std::string socket_path(const ClientOptions& options) {
  std::string path = options.socket.native();
  if (path.empty()) {
    const char* configured = ::secure_getenv(local_api::socket_variable);
    path = configured && *configured ? configured : local_api::default_socket;
  }
  if (path.size() > max_socket_path() || path.find('\0') != std::string::npos) {
    throw Error("invalid_request", "the socket's path cannot be used: a Unix socket's path has at most " +
                                       std::to_string(max_socket_path()) + " characters");
  }
  return path;
}

milliseconds checked_timeout(milliseconds timeout) {
  if (timeout <= milliseconds{0}) throw Error("invalid_request", "the timeout must be above zero");
  return std::min(timeout, longest_timeout);
}

/// As recv(2); of descriptors that came along (unix(7)) the first is kept, and no other.
ssize_t receive_with_descriptor(int socket, std::span<char> buffer, OwnDescriptor& passed) {
  alignas(cmsghdr) char control[CMSG_SPACE(4 * sizeof(int))];
  iovec room{buffer.data(), buffer.size()};
  msghdr message{};
  message.msg_iov = &room;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof control;
  const ssize_t size = ::recvmsg(socket, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
  if (size < 0) return size;
  for (cmsghdr* head = CMSG_FIRSTHDR(&message); head != nullptr; head = CMSG_NXTHDR(&message, head)) {
    if (head->cmsg_level != SOL_SOCKET || head->cmsg_type != SCM_RIGHTS) continue;
    const std::size_t count = (head->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (std::size_t i = 0; i < count; ++i) {
      int descriptor = -1;
      ::memcpy(&descriptor, CMSG_DATA(head) + i * sizeof descriptor, sizeof descriptor);
      OwnDescriptor owned{descriptor};
      if (!passed) passed = std::move(owned);
    }
  }
  return size;
}

/// One attempt at a request: what has been sent and received so far over one connection.
class Attempt {
 public:
  Attempt(Connection& connection, const OutgoingRequest& request, ResponseTaker& taker)
      : connection_(connection), taker_(taker), sender_(request), parser_(request.is_head) {}
  ~Attempt() { ::explicit_bzero(connection_.buffer().data(), received_most_); }
  Attempt(const Attempt&) = delete;
  Attempt& operator=(const Attempt&) = delete;

  bool in_progress() const {
    return !closed_ &&
           (parser_.state() == ResponseParser::State::head || parser_.state() == ResponseParser::State::body);
  }

  /// Sends and receives once.
  void step(CallWait& wait) {
    if (!connection_.is_intact()) return end();
    if (sending_) sending_ = sender_.send_some(connection_.fd()) && !sender_.done();
    const short events = sending_ ? POLLIN | POLLOUT : POLLIN;
    const short ready = wait.ready(connection_.fd(), events);
    if ((ready & ~POLLOUT) != 0) receive();
  }

  const RequestSender& sender() const { return sender_; }
  const ResponseParser& parser() const { return parser_; }
  bool answered() const { return received_most_ > 0; }
  bool head_given() const { return head_given_; }
  bool reusable() const {
    return parser_.state() == ResponseParser::State::complete && parser_.head().keep_alive &&
           sender_.done() && !closed_ && !left_over_;
  }

 private:
  void end() {
    closed_ = true;
    parser_.end();
  }

  void receive() {
    if (!connection_.is_intact()) return end();
    const auto buffer = connection_.buffer();
    OwnDescriptor passed;
    const ssize_t size = receive_with_descriptor(connection_.fd(), buffer, passed);
    if (size < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR)) return;
    if (size <= 0) return end();
    received_most_ = std::max(received_most_, static_cast<std::size_t>(size));
    if (passed) taker_.descriptor(std::move(passed));
    take({buffer.data(), static_cast<std::size_t>(size)});
  }

  void take(std::string_view bytes) {
    while (!bytes.empty() && in_progress()) {
      const auto step = parser_.feed(bytes);
      bytes.remove_prefix(step.consumed);
      if (!head_given_ && (parser_.state() == ResponseParser::State::body ||
                           parser_.state() == ResponseParser::State::complete)) {
        head_given_ = true;
        // Whoever answers with an error does not want the rest of the body.
        if (parser_.head().status >= 400) sending_ = false;
        taker_.head(parser_.head());
      }
      if (!step.body.empty()) taker_.body(step.body);
    }
    left_over_ = !bytes.empty();
  }

  Connection& connection_;
  ResponseTaker& taker_;
  RequestSender sender_;
  ResponseParser parser_;
  bool sending_ = true;
  bool closed_ = false;
  bool head_given_ = false;
  bool left_over_ = false;
  std::size_t received_most_ = 0;
};

}  // namespace

Connector::Connector(const ClientOptions& options)
    : socket_(socket_path(options)), timeout_(checked_timeout(options.timeout)) {}

void Connector::run(const OutgoingRequest& request, ResponseTaker& taker, std::stop_token stop) {
  CallWait wait(timeout_, std::move(stop));
  milliseconds pause{0};
  while (true) {
    auto connection = pool_.take();
    if (!connection) connection = connect(wait);
    Lost lost;
    try {
      if (attempt(connection, request, taker, wait, lost)) return;
    } catch (...) {
      pool_.drop(std::move(connection));
      throw;
    }
    pool_.drop(std::move(connection));
    const bool harmless = !lost.source_used && (request.repeatable || !lost.processed);
    if (!harmless || patience_left() <= pause)
      throw_unreachable("the connection was closed without an answer");
    wait.pause(pause);
    pause = std::min(pause * 2 + milliseconds{1}, milliseconds{50});
  }
}

// False when the connection ended before anything of a response had come. Keeps the connection where it can
// be used again.
bool Connector::attempt(std::unique_ptr<Connection>& connection, const OutgoingRequest& request,
                        ResponseTaker& taker, CallWait& wait, Lost& lost) {
  bool reusable = false;
  {
    Attempt attempt(*connection, request, taker);
    while (attempt.in_progress()) {
      attempt.step(wait);
      if (request.streamed) wait.restart();
    }
    if (attempt.parser().state() == ResponseParser::State::failed) {
      if (attempt.head_given()) taker.broken_off();
      if (attempt.answered()) throw_unreachable("what listens there does not answer like grantd");
      lost = {.processed = attempt.sender().began(), .source_used = attempt.sender().source_used()};
      return false;
    }
    reusable = attempt.reusable();
  }
  was_there_.store(true, std::memory_order_relaxed);
  gone_since_.store(0, std::memory_order_relaxed);
  if (reusable) {
    pool_.keep(std::move(connection));
  } else {
    pool_.drop(std::move(connection));
  }
  return true;
}

std::unique_ptr<Connection> Connector::connect(CallWait& wait) {
  milliseconds pause{1};
  while (true) {
    wait.check();
    std::error_code error;
    if (auto connection = connect_once(socket_, error)) {
      pool_.adopt(*connection);
      return connection;
    }
    const int code = error.value();
    // A full queue means that the daemon is there and busy; the others, that it may be about to come back: a
    // socket that is being made has not got its permissions yet.
    const bool busy = code == EAGAIN;
    const bool denied = code == EACCES || code == EPERM;
    const bool missing = code == ENOENT || code == ECONNREFUSED;
    if (!busy && (!(denied || missing) || patience_left() <= pause)) {
      if (denied) throw Error("access_denied", "this user may not open " + socket_ + ": " + error.message());
      throw_unreachable(error.message());
    }
    wait.pause(pause);
    pause = std::min(pause * 2, milliseconds{50});
  }
}

// What is left of the time for which a daemon that was there is waited for; all calls share it, so that a
// daemon that stays away costs every call nothing but the first ones.
milliseconds Connector::patience_left() {
  if (!was_there_.load(std::memory_order_relaxed)) return milliseconds{0};
  const auto now = SteadyClock::now().time_since_epoch();
  std::int64_t since = 0;
  const std::int64_t now_ns = std::chrono::nanoseconds{now}.count();
  if (gone_since_.compare_exchange_strong(since, now_ns, std::memory_order_relaxed)) since = now_ns;
  const auto patience = std::min(restart_patience, timeout_ / 2);
  return patience - std::chrono::floor<milliseconds>(std::chrono::nanoseconds{now_ns - since});
}

void Connector::throw_unreachable(std::string_view reason) const {
  throw Error("daemon_unreachable", "no answer from grantd at " + socket_ + ": " + std::string{reason});
}

}  // namespace grantd::detail
