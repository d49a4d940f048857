#pragma once

#include <boost/asio/buffer.hpp>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "common/error.hpp"
#include "daemon/authz/peer_identity.hpp"
#include "daemon/http1/head.hpp"
#include "daemon/loop/awaitable.hpp"
#include "daemon/loop/pipe.hpp"

namespace grantd::daemon {

namespace asio = boost::asio;

/// A response that is held in memory whole.
struct LocalResponse {
  int status = 200;
  std::string_view content_type = "application/json";  // empty: no body, no Content-Type
  std::string body{};
  /// A body that others use as well, instead of `body`; null: none.
  std::shared_ptr<const std::string> shared_body{};
  /// Further header lines, each complete with CRLF, e.g. "Retry-After: 3\r\n".
  std::string extra_headers{};
  /// More of them, in static memory.
  std::string_view fixed_headers{};

  std::string_view text() const { return shared_body ? *shared_body : body; }
};

/// What a handler made of a request's head, for the next one with the same head. The same head goes to the
/// same handler, so that none meets another's.
struct RequestMemo {
  virtual ~RequestMemo() = default;
};

/// One request of a local caller and its response. A session makes it, a Handler uses it until its coroutine
/// ends. Loop thread only.
class Exchange {
 public:
  virtual ~Exchange() = default;

  /// Valid until the handler's coroutine ends.
  virtual const http1::RequestHead& request() const = 0;
  virtual const PeerIdentity& peer() const = 0;
  /// Where a handler may leave a note: it is still there as long as the following requests of the connection
  /// have the same head, byte for byte, and goes when one has another, or the connection ends. Null for
  /// requests of which nothing is remembered, such as those with a body or with secrets in their head.
  virtual std::unique_ptr<RequestMemo>* memo() = 0;

  /// The next piece of the request's body with its framing removed, as soon as there is any; empty at the
  /// end. The view is valid until the next call. Sends `100 Continue` first where the caller waits for it.
  /// Errors: `request_timeout` after 60 s of silence, `invalid_request` for broken framing or a caller that
  /// is gone.
  virtual awaitable<common::Result<std::span<const char>>> read_body() = 0;
  /// Whether the request's body has been read to its end (true at once where there is none).
  virtual bool body_complete() const = 0;
  /// A `read_body` that is waiting fails in the loop's next turn; without one, nothing happens.
  virtual void stop_reading_body() = 0;

  /// Sends a whole response in one write. HEAD requests get the head alone.
  virtual awaitable<void> respond(LocalResponse response) = 0;
  /// The same with a descriptor that goes to the caller with the first byte (SCM_RIGHTS). False: nothing was
  /// sent, as it cannot be passed now, and the caller is still to be answered.
  virtual awaitable<bool> respond_passing(int descriptor, LocalResponse response) = 0;

  /// Sends raw bytes of a response that the handler frames itself: first the head, final empty line included,
  /// then the body with its framing. Takes what the kernel takes at once and returns how many bytes that was;
  /// nothing when the caller is gone, and then the handler ends.
  virtual std::optional<std::size_t> write_some(std::span<const asio::const_buffer> pieces) = 0;
  /// Sends all but the first `written` bytes of `pieces`, which stay valid until it returns. False when the
  /// caller is gone or did not read for 60 s; then the handler ends.
  virtual awaitable<bool> write_rest(std::span<const asio::const_buffer> pieces, std::size_t written) = 0;
  /// The same with what is in the pipe, which goes to the caller without being copied.
  virtual awaitable<bool> write_from(Pipe& pipe) = 0;
  /// `write_some` and `write_rest` together.
  awaitable<bool> write(std::span<const asio::const_buffer> pieces) {
    const auto written = write_some(pieces);
    if (!written) co_return false;
    const bool whole = co_await write_rest(pieces, *written);
    co_return whole;
  }
  /// Tells the session that what was written by these is one complete response. A handler that ends without
  /// this, having written anything, closes the connection, so that the caller sees a broken-off response.
  virtual void finish_response(bool keep_alive) = 0;

  /// `action` runs once if the caller closes its connection before the handler has ended; a caller that
  /// merely shuts down its sending side still waits for its answer and is not gone. Replaces an earlier
  /// action; an empty one clears it.
  virtual void on_caller_gone(std::move_only_function<void()> action) = 0;
};

/// Something that answers requests. Loop thread only; one instance serves all connections.
class Handler {
 public:
  virtual ~Handler() = default;
  virtual awaitable<void> handle(Exchange& exchange) = 0;
};

/// Serves what is addressed to an API rather than to the daemon: the seam between server and proxy. Loop
/// thread only.
class ApiHandler {
 public:
  virtual ~ApiHandler() = default;
  /// `api` is the name as the caller wrote it, not yet known to exist. `target` is what remains of the
  /// request's target: path (beginning with a slash) and query, bytes unchanged. Both views live as long as
  /// the exchange's request.
  virtual awaitable<void> handle(Exchange& exchange, std::string_view api, std::string_view target) = 0;
};

/// The problem document (RFC 9457) for an error. `client` and `api` name the definitions concerned, empty:
/// none.
LocalResponse problem_response(const common::Error& error, std::string_view client = {},
                               std::string_view api = {});

}  // namespace grantd::daemon
