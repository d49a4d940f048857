#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "common/timer_queue.hpp"
#include "daemon/http1/body_decoder.hpp"
#include "daemon/proxy/header_filter.hpp"
#include "daemon/proxy/relay_buffer.hpp"
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
  };
  /// `head` is what the caller gets first, `length` the API's framing, `framing` ours.
  ResponseRelay(Parts parts, std::string head, http1::BodyLength length, ResponseFraming framing);

  enum class End {
    complete,     // the body reached its regular end, and all of it was written
    broken,       // the API broke off, sent broken framing, or was silent for too long
    caller_gone,  // the caller does not read any more
  };
  /// `idle_timeout` bounds each silence of the API.
  awaitable<End> run(std::chrono::milliseconds idle_timeout);

 private:
  enum class Filled { data, end, broken, caller_gone };
  bool decode();
  awaitable<bool> write(bool last);
  awaitable<Filled> fill(std::chrono::milliseconds idle_timeout);

  Parts parts_;
  std::string head_;  // empty once it is written
  http1::BodyDecoder decoder_;
  ResponseFraming framing_;
  std::vector<std::span<const char>> pieces_{};
  std::vector<asio::const_buffer> outgoing_{};
  std::size_t decoded_ = 0;  // bytes in pieces_
};

}  // namespace grantd::daemon
