#pragma once

#include <boost/container/small_vector.hpp>
#include <chrono>
#include <optional>
#include <span>
#include <string>

#include "common/timer_queue.hpp"
#include "daemon/http1/body_decoder.hpp"
#include "daemon/proxy/header_filter.hpp"
#include "daemon/proxy/relay_buffer.hpp"
#include "daemon/proxy/relay_pipes.hpp"
#include "daemon/proxy/request_pump.hpp"
#include "daemon/proxy/upstream_connection.hpp"
#include "daemon/server/handler.hpp"

namespace grantd::daemon {

/// Passes one response on to the caller as it arrives: what was read is written before more is read, so a
/// slow caller slows the API down. Loop thread only.
class ResponseRelay {
 public:
  struct Parts {
    common::TimerQueue& timers;
    Exchange& exchange;
    UpstreamConnection& connection;
    RelayBuffer& buffer;  // holds what came after the head
    RelayPipes& pipes;
    const RequestPump& request;
  };
  /// `head` is what the caller gets first, `length` the API's framing, `framing` ours.
  ResponseRelay(Parts parts, std::string head, http1::BodyLength length, ResponseFraming framing);

  enum class End {
    complete,     // the body reached its regular end, and all of it was written
    broken,       // the API broke off, sent broken framing, or was silent for too long
    caller_gone,  // the caller does not read any more
  };
  /// `idle_timeout` bounds each silence of the API, once it has the whole request.
  awaitable<End> run(std::chrono::milliseconds idle_timeout);

 private:
  enum class Filled { data, end, broken, caller_gone };
  bool decode();
  /// Writes the head, unless it was, and what is decoded. False: the caller is gone; nothing: it has to wait,
  /// in `write_rest`.
  std::optional<bool> write_at_once(bool last);
  awaitable<bool> write_rest();
  awaitable<Filled> fill(std::chrono::milliseconds idle_timeout);
  /// Whether the rest of the body is worth being moved by the kernel.
  bool may_move() const;
  /// Moves it from socket to socket. False: the caller is gone. True also where the API breaks off, or
  /// nothing can be moved: what there is then is found out by reading.
  awaitable<bool> move(std::chrono::milliseconds idle_timeout);
  void await_api(std::chrono::milliseconds idle_timeout);

  Parts parts_;
  std::string head_;  // empty once it is written
  http1::BodyDecoder decoder_;
  ResponseFraming framing_;
  boost::container::small_vector<std::span<const char>, 4> pieces_{};
  boost::container::small_vector<asio::const_buffer, 8> outgoing_{};
  bool moves_ = true;
  std::size_t decoded_ = 0;  // bytes in pieces_
  std::size_t written_ = 0;  // bytes of outgoing_
  char chunk_line_[20] = {};
};

}  // namespace grantd::daemon
