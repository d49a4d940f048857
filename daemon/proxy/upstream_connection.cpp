// Every operation is tried at once and waits only when it would block: most responses of a near-by API cost
// one send and one read. Deadlines close the socket instead of cancelling operations one by one, so that
// nothing can be forgotten.
#include "daemon/proxy/upstream_connection.hpp"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <system_error>

#include "daemon/http/tunnel.hpp"
#include "daemon/http1/head.hpp"

namespace grantd::daemon {
namespace {

using common::ErrorCode;

constexpr std::size_t max_pieces_a_call = 64;
constexpr std::size_t record_size = 16 * 1024;
constexpr std::size_t longest_proxy_head = 16 * 1024;

std::optional<UpstreamConnection::Read> from_kernel(std::optional<ssize_t> got) {
  using Read = UpstreamConnection::Read;
  if (!got) return std::nullopt;
  if (*got > 0) return Read{.kind = Read::Kind::data, .size = static_cast<std::size_t>(*got)};
  return Read{.kind = *got == 0 ? Read::Kind::end : Read::Kind::broken};
}

bool would_block() { return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR; }

/// Where small pieces become one TLS record; it has seen tokens, so it is wiped after use.
struct RecordScratch {
  std::array<char, record_size> bytes;  // as much of it as `size` says has a value
  std::size_t size = 0;
  std::size_t high_water = 0;

  void gather(std::span<const iovec> pieces) {
    size = 0;
    for (const iovec& piece : pieces) {
      const std::size_t part = std::min(piece.iov_len, bytes.size() - size);
      std::memcpy(bytes.data() + size, piece.iov_base, part);
      size += part;
    }
    high_water = std::max(high_water, size);
  }
  ~RecordScratch() { ::explicit_bzero(bytes.data(), high_water); }
};

}  // namespace

void OutgoingBytes::sent(std::size_t size) {
  while (size > 0) {
    iovec& piece = pieces_[first_];
    const std::size_t part = std::min(size, piece.iov_len);
    piece.iov_base = static_cast<char*>(piece.iov_base) + part;
    piece.iov_len -= part;
    size -= part;
    if (piece.iov_len == 0) ++first_;
  }
}

UpstreamConnection::Deadlines::Deadlines(common::TimerQueue& timers, UpstreamConnection& owner)
    : read(timers, [&owner] { owner.expire(); }), write(timers, [&owner] { owner.expire(); }) {}

UpstreamConnection::UpstreamConnection(Loop& loop) : timers_(loop.timers()), socket_(loop) {
  deadlines_.emplace(timers_, *this);
}

UpstreamConnection::~UpstreamConnection() = default;

void UpstreamConnection::expire() {
  timed_out_ = true;
  socket_.close();
}

void UpstreamConnection::abort() {
  aborted_ = true;
  socket_.close();
}

void UpstreamConnection::close() {
  if (tls_ && is_open()) tls_->send_close();
  abort();
}

void UpstreamConnection::detach_from_timers() {
  abort();
  deadlines_.reset();
}

void UpstreamConnection::set_read_deadline(common::BootTime when) {
  if (deadlines_) deadlines_->read.arm(when);
}

WatchedFd::Wait UpstreamConnection::wait_for(Direction what) {
  return what == Direction::input ? socket_.readable() : socket_.writable();
}

awaitable<common::Result<void>> UpstreamConnection::connect(std::span<const Endpoint> addresses,
                                                            Layers layers, Duration timeout) {
  const auto end = timers_.now() + timeout;
  std::string reason = "its name has no address";
  bool late = false;
  for (std::size_t i = 0; i < addresses.size() && !aborted_ && deadlines_; ++i) {
    const auto left = std::chrono::duration_cast<Duration>(end - timers_.now());
    if (left.count() <= 0) break;
    // An address that swallows everything must leave time for those after it.
    const auto end_of_this = timers_.now() + left / static_cast<int>(addresses.size() - i);
    set_read_deadline(end_of_this);
    timed_out_ = false;
    const auto failed = co_await connect_to(addresses[i], layers, end_of_this);
    if (deadlines_) deadlines_->read.disarm();
    if (!failed) co_return common::Result<void>{};
    late = timed_out_;
    reason = *failed;
    tls_.reset();
    socket_.close();
  }
  if (late) {
    co_return common::fail(ErrorCode::api_timeout, "the API did not accept a connection within " +
                                                       std::to_string(timeout.count()) + " ms");
  }
  co_return common::fail(ErrorCode::api_unreachable, "the API could not be reached: " + reason);
}

awaitable<std::optional<std::string>> UpstreamConnection::connect_to(const Endpoint& address, Layers layers,
                                                                     common::BootTime end) {
  const auto reason = [](int error) { return std::generic_category().message(error); };
  common::UniqueFd socket{
      ::socket(address.protocol().family(), SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, IPPROTO_TCP)};
  if (!socket) co_return reason(errno);
  const bool at_once = ::connect(socket.get(), address.data(), static_cast<socklen_t>(address.size())) == 0;
  if (!at_once && errno != EINPROGRESS) co_return reason(errno);
  socket_.open(std::move(socket), WatchedFd::Watch::input_and_output);
  if (!at_once) {
    const bool ready = co_await socket_.writable();
    if (!ready) co_return "the connection was given up";
    int error = 0;
    socklen_t size = sizeof error;
    ::getsockopt(socket_.get(), SOL_SOCKET, SO_ERROR, &error, &size);
    if (error != 0) co_return reason(error);
  }
  const int on = 1;
  ::setsockopt(socket_.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  if (layers.tunnel_to != nullptr) {
    auto refused = co_await open_tunnel(*layers.tunnel_to, end);
    if (refused) co_return refused;
    set_read_deadline(end);
  }
  if (layers.tls == nullptr) co_return std::nullopt;
  co_return co_await secure(*layers.tls);
}

awaitable<std::optional<std::string>> UpstreamConnection::open_tunnel(const config::Url& url,
                                                                      common::BootTime end) {
  const std::string request = tunnel_request(url);
  OutgoingBytes outgoing;
  outgoing.add(std::string_view{request});
  const bool sent = co_await send(outgoing, std::chrono::ceil<Duration>(end - timers_.now()));
  std::string head;
  while (sent) {
    std::array<char, 2048> piece;
    set_read_deadline(end);
    const Read got = co_await read(piece);
    if (got.kind != Read::Kind::data) break;
    head.append(piece.data(), got.size);
    const auto size = http1::head_size(head);
    if (!size && head.size() < longest_proxy_head) continue;
    http1::ResponseHead response;
    // The API says nothing before it has heard from this side.
    if (size != head.size() || !http1::parse_response_head(head, "CONNECT", response)) {
      co_return "http_proxy answered CONNECT with something that is no response";
    }
    if (response.status / 100 == 2) co_return std::nullopt;
    co_return "http_proxy answered CONNECT with status " + std::to_string(response.status);
  }
  co_return "http_proxy closed the connection";
}

awaitable<std::optional<std::string>> UpstreamConnection::secure(TlsContext& tls) {
  using Kind = TlsStream::Progress::Kind;
  tls_ = tls.connect(socket_.get(), [this](std::span<char> into) {
    return socket_.may_read() ? socket_.receive(into) : std::nullopt;
  });
  if (!tls_) co_return "a TLS session could not be made";
  while (true) {
    const Kind kind = tls_->handshake().kind;
    if (kind == Kind::done) co_return std::nullopt;
    if (kind != Kind::want_read && kind != Kind::want_write) co_return tls_->failure();
    const bool ready = co_await wait_for(kind == Kind::want_read ? Direction::input : Direction::output);
    if (!ready) co_return "the connection ended during the TLS handshake";
  }
}

std::optional<UpstreamConnection::Read> UpstreamConnection::read_tls(std::span<char> into) {
  const auto progress = tls_->read(into);
  switch (progress.kind) {
    case TlsStream::Progress::Kind::done:
      return Read{.kind = Read::Kind::data, .size = progress.size};
    case TlsStream::Progress::Kind::closed:
      return Read{.kind = Read::Kind::end};
    case TlsStream::Progress::Kind::failed:
      return Read{.kind = Read::Kind::broken};
    case TlsStream::Progress::Kind::want_read:
      break;
    case TlsStream::Progress::Kind::want_write:
      read_wait_ = Direction::output;
      break;
  }
  return std::nullopt;
}

std::optional<UpstreamConnection::Read> UpstreamConnection::try_to_read(std::span<char> into) {
  if (!is_open()) return Read{.kind = Read::Kind::broken};
  const bool after_writing = std::exchange(read_wait_, Direction::input) == Direction::output;
  if (!may_have_input() && !after_writing) return std::nullopt;
  if (tls_) return read_tls(into);
  return from_kernel(socket_.receive(into));
}

// The kernel does not say whether more is there.
std::optional<UpstreamConnection::Read> UpstreamConnection::try_to_move(Pipe& into, std::size_t most) {
  if (!is_open() || !can_move()) return Read{.kind = Read::Kind::broken};
  if (!socket_.may_read()) return std::nullopt;
  const auto got = into.move_from(socket_.get(), most);
  if (!got) socket_.nothing_to_read();
  return from_kernel(got);
}

bool UpstreamConnection::may_have_input() const {
  return socket_.may_read() || (tls_ && tls_->holds_input());
}

std::optional<UpstreamConnection::Read> UpstreamConnection::read_now(std::span<char> into) {
  const auto result = try_to_read(into);
  if (result) note_reading(*result);
  return result;
}

// An API that answers while it leaves the request unread is not silent.
void UpstreamConnection::note_reading(const Read& result) {
  const bool sends = deadlines_ && deadlines_->write.armed();
  if (sends && result.kind == Read::Kind::data) deadlines_->write.arm_after(write_timeout_);
}

template <class Attempt>
awaitable<UpstreamConnection::Read> UpstreamConnection::read_by(Attempt attempt) {
  reading_ = true;
  std::optional<Read> result = attempt();
  while (!result) {
    const bool ready = co_await wait_for(read_wait_);
    result = ready ? attempt() : Read{.kind = Read::Kind::broken};
  }
  co_return end_reading(*result);
}

awaitable<UpstreamConnection::Read> UpstreamConnection::read(std::span<char> into) {
  return read_by([this, into] { return try_to_read(into); });
}

std::optional<UpstreamConnection::Read> UpstreamConnection::move_now(Pipe& into, std::size_t most) {
  const auto result = try_to_move(into, most);
  if (result) note_reading(*result);
  return result;
}

awaitable<UpstreamConnection::Read> UpstreamConnection::move(Pipe& into, std::size_t most) {
  return read_by([this, &into, most] { return try_to_move(into, most); });
}

awaitable<UpstreamConnection::Read> UpstreamConnection::read(RelayBuffer& into) {
  reading_ = true;
  std::optional<Read> result;
  // TLS may hold part of a record, from which nothing can be read.
  if (!is_open() || may_have_input()) result = try_to_read(into.space());
  while (!result) {
    const bool ready = co_await wait_for(read_wait_);
    if (!ready) break;
    result = try_to_read(into.space());
  }
  const Read read = end_reading(result.value_or(Read{}));
  if (read.kind == Read::Kind::data) into.filled(read.size);
  co_return read;
}

UpstreamConnection::Read UpstreamConnection::end_reading(const Read& result) {
  reading_ = false;
  if (deadlines_) deadlines_->read.disarm();
  note_reading(result);
  return result;
}

UpstreamConnection::Sent UpstreamConnection::send_plain(OutgoingBytes& bytes) {
  while (!bytes.empty()) {
    const auto pieces = bytes.pieces();
    msghdr message{};
    message.msg_iov = const_cast<iovec*>(pieces.data());
    message.msg_iovlen = std::min(pieces.size(), max_pieces_a_call);
    const ssize_t sent = ::sendmsg(socket_.get(), &message, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent < 0) return would_block() ? Sent::some : Sent::broken;
    took_bytes_ = true;
    bytes.sent(static_cast<std::size_t>(sent));
  }
  return Sent::all;
}

UpstreamConnection::Sent UpstreamConnection::send_tls(OutgoingBytes& bytes) {
  RecordScratch scratch;
  while (!bytes.empty()) {
    const auto pieces = bytes.pieces();
    std::span<const char> next{static_cast<const char*>(pieces[0].iov_base), pieces[0].iov_len};
    if (next.size() < record_size && pieces.size() > 1) {
      scratch.gather(pieces);
      next = {scratch.bytes.data(), scratch.size};
    }
    const auto progress = tls_->write(next);
    switch (progress.kind) {
      case TlsStream::Progress::Kind::done:
        break;
      case TlsStream::Progress::Kind::want_read:
        write_wait_ = Direction::input;
        return Sent::some;
      case TlsStream::Progress::Kind::want_write:
        write_wait_ = Direction::output;
        return Sent::some;
      case TlsStream::Progress::Kind::closed:
      case TlsStream::Progress::Kind::failed:
        return Sent::broken;
    }
    took_bytes_ = true;
    bytes.sent(progress.size);
  }
  return Sent::all;
}

UpstreamConnection::Sent UpstreamConnection::send_now(OutgoingBytes& bytes) {
  if (!is_open()) return Sent::broken;
  return tls_ ? send_tls(bytes) : send_plain(bytes);
}

awaitable<bool> UpstreamConnection::send(OutgoingBytes& bytes, Duration timeout) {
  while (true) {
    const Sent sent = send_now(bytes);
    if (sent != Sent::some) co_return sent == Sent::all;
    if (!deadlines_) co_return false;
    write_timeout_ = timeout;
    deadlines_->write.arm_after(timeout);
    const bool ready = co_await wait_for(tls_ ? write_wait_ : Direction::output);
    if (deadlines_) deadlines_->write.disarm();
    if (!ready) co_return false;
  }
}

bool UpstreamConnection::stale() {
  if (!is_open()) return true;
  if (!may_have_input()) return false;
  char byte = 0;
  // TLS has messages of its own, such as session tickets, which make the socket readable without meaning
  // anything.
  if (tls_) return read_now({&byte, 1}).has_value();
  if (::recv(socket_.get(), &byte, 1, MSG_PEEK | MSG_DONTWAIT) >= 0 || !would_block()) return true;
  socket_.nothing_to_read();
  return false;
}

bool UpstreamConnection::stale_by_now() {
  socket_.suppose_input();
  return stale();
}

}  // namespace grantd::daemon
