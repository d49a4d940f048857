#pragma once

#include <sys/uio.h>

#include <boost/asio/ip/tcp.hpp>
#include <boost/container/small_vector.hpp>
#include <chrono>
#include <memory>
#include <optional>
#include <span>
#include <string>

#include "common/error.hpp"
#include "common/timer_queue.hpp"
#include "daemon/crypto/tls_context.hpp"
#include "daemon/loop/loop.hpp"
#include "daemon/loop/pipe.hpp"
#include "daemon/proxy/relay_buffer.hpp"

namespace grantd::daemon {

/// What is still to be sent, front first.
class OutgoingBytes {
 public:
  void add(std::string_view bytes) {
    if (!bytes.empty()) pieces_.push_back({const_cast<char*>(bytes.data()), bytes.size()});
  }
  void add(std::span<const char> bytes) { add(std::string_view{bytes.data(), bytes.size()}); }
  bool empty() const { return first_ == pieces_.size(); }
  std::span<const iovec> pieces() const { return std::span{pieces_}.subspan(first_); }
  void sent(std::size_t size);
  void clear() {
    pieces_.clear();
    first_ = 0;
  }

 private:
  boost::container::small_vector<iovec, 8> pieces_;
  std::size_t first_ = 0;
};

/// One TCP connection to an API, with or without TLS. One coroutine may read while another writes. Deadlines
/// and `abort` close the socket, which ends whatever waits for it. Loop thread only.
class UpstreamConnection {
 public:
  using Duration = std::chrono::milliseconds;
  using Endpoint = boost::asio::ip::tcp::endpoint;

  explicit UpstreamConnection(Loop& loop);
  ~UpstreamConnection();
  UpstreamConnection(const UpstreamConnection&) = delete;
  UpstreamConnection& operator=(const UpstreamConnection&) = delete;

  /// What is put upon a connection before the first request; both may be null. Outlives `connect`.
  struct Layers {
    const config::Url* tunnel_to = nullptr;  // through the HTTP proxy that the addresses are of
    TlsContext* tls = nullptr;
  };
  /// Tries the addresses in turn until one is connected and has its layers; all within `timeout`. Errors:
  /// `api_unreachable`, `api_timeout`.
  awaitable<common::Result<void>> connect(std::span<const Endpoint> addresses, Layers layers,
                                          Duration timeout);

  struct Read {
    enum class Kind { data, end, broken };
    Kind kind = Kind::broken;
    std::size_t size = 0;
  };
  /// Reads what there is, at once if possible. Nothing: it would have to wait.
  std::optional<Read> read_now(std::span<char> into);
  /// Waits for something to read, under the read deadline; the deadline is off afterwards.
  awaitable<Read> read(std::span<char> into);
  /// The same into the buffer's space, which is asked for when there is something to read.
  awaitable<Read> read(RelayBuffer& into);
  /// Whether what comes can be moved into a pipe: TLS has to be taken off first.
  bool can_move() const { return !tls_ && !socket_.urgent(); }
  /// As `read_now`, but moves up to `most` bytes into the pipe, which is empty. `broken` may also mean that
  /// it has to be read.
  std::optional<Read> move_now(Pipe& into, std::size_t most);
  /// As `read`, likewise.
  awaitable<Read> move(Pipe& into, std::size_t most);
  void set_read_deadline(common::BootTime when);
  /// Whether a `read` is waiting.
  bool reading() const { return reading_; }

  enum class Sent { all, some, broken };
  /// Sends what the socket takes without waiting.
  Sent send_now(OutgoingBytes& bytes);
  /// Sends everything; `timeout` bounds each silence of the API, which neither reads nor writes. False when
  /// the connection is broken or was aborted.
  awaitable<bool> send(OutgoingBytes& bytes, Duration timeout);

  /// Whether the kernel took any byte for sending since the last call.
  bool took_bytes() { return std::exchange(took_bytes_, false); }
  /// Whether an idle connection can no longer be used: closed by the API, or something arrived that nobody
  /// asked for. Says what the kernel has told the loop so far.
  bool stale();
  /// The same, but asks the kernel: for what must not be sent in vain.
  bool stale_by_now();
  /// Closes; idempotent.
  void abort();
  /// Closes an idle connection, with TLS's goodbye.
  void close();
  bool is_open() const { return socket_.is_open(); }
  /// Whether a deadline closed it.
  bool timed_out() const { return timed_out_; }
  /// When it was made.
  common::BootTime opened() const { return opened_; }
  /// How many requests were begun on it.
  std::size_t uses = 0;
  /// Nothing here needs the loop's timers any more; for the end of the daemon.
  void detach_from_timers();

 private:
  struct Deadlines {
    Deadlines(common::TimerQueue& timers, UpstreamConnection& owner);
    common::Timer read;
    common::Timer write;
  };
  /// Nothing: it worked. The error is why it did not, for people.
  awaitable<std::optional<std::string>> connect_to(const Endpoint& address, Layers layers,
                                                   common::BootTime end);
  awaitable<std::optional<std::string>> open_tunnel(const config::Url& url, common::BootTime end);
  awaitable<std::optional<std::string>> secure(TlsContext& tls);
  enum class Direction { input, output };
  WatchedFd::Wait wait_for(Direction what);
  /// Nothing: it would have to wait, for `read_wait_`.
  std::optional<Read> try_to_read(std::span<char> into);
  std::optional<Read> read_tls(std::span<char> into);
  std::optional<Read> try_to_move(Pipe& into, std::size_t most);
  /// Waits until `attempt` gives something.
  template <class Attempt>
  awaitable<Read> read_by(Attempt attempt);
  bool may_have_input() const;
  Read end_reading(const Read& result);
  Sent send_plain(OutgoingBytes& bytes);
  Sent send_tls(OutgoingBytes& bytes);
  void note_reading(const Read& result);
  void expire();

  common::TimerQueue& timers_;
  const common::BootTime opened_ = timers_.now();
  WatchedFd socket_;
  std::unique_ptr<TlsStream> tls_;
  std::optional<Deadlines> deadlines_;
  // What the last unfinished operation waits for; TLS may have to read before it can write, and the other way
  // round.
  Direction read_wait_ = Direction::input;
  Direction write_wait_ = Direction::output;
  bool aborted_ = false;
  bool timed_out_ = false;
  bool took_bytes_ = false;
  bool reading_ = false;
  Duration write_timeout_{};
};

}  // namespace grantd::daemon
