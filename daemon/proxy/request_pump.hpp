#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string_view>

#include "daemon/loop/signal.hpp"
#include "daemon/oauth/token.hpp"
#include "daemon/proxy/replay_buffer.hpp"
#include "daemon/proxy/upstream_connection.hpp"
#include "daemon/server/handler.hpp"

namespace grantd::daemon {

/// Sends a request to the API while somebody else reads the response: the head, and the body as the caller
/// sends it. Can send all of it again on another connection as long as what was read of the body is kept.
/// Loop thread only; must be `finish`ed before it is destroyed, if `send_on` was called.
class RequestPump {
 public:
  struct Timing {
    std::chrono::milliseconds response;  // from the end of sending to the response's head
    std::chrono::milliseconds idle;      // longest silence of an API that does not read
  };
  RequestPump(Loop& loop, Exchange& exchange, ReplayBuffer& replay, Timing timing);
  RequestPump(const RequestPump&) = delete;
  RequestPump& operator=(const RequestPump&) = delete;

  /// The head without what is made from the token.
  struct OutgoingHead {
    std::string_view head;   // up to and without the Authorization line
    std::string_view proof;  // the DPoP line, empty: none
  };
  /// Begins to send on `connection`: head, Authorization line, then what there is of the body; goes on by
  /// itself. Does not wait. What `head` names stays as it is until `finish` or the next `send_on`. A
  /// connection given before must have been aborted unless the request was completely sent on it, and
  /// `end_attempt` have been called.
  void send_on(std::shared_ptr<UpstreamConnection> connection, OutgoingHead head, TokenPtr token);
  /// Nothing more is sent on the connection given last. What is read of the body meanwhile waits for the next
  /// `send_on`.
  void end_attempt() { ready_ = false; }

  /// While true, the end of sending starts the connection's read deadline with `Timing::response`, else a
  /// read that is waiting gets one of `Timing::idle`.
  void set_awaiting_head(bool awaiting);
  /// The API said `100 Continue`: now the caller is told to send its body. Where the API says nothing, that
  /// happens after a second (RFC 9110 section 10.1.1).
  void continue_with_body();

  /// Of the connection given last.
  bool completely_sent() const { return completely_sent_; }
  bool send_failed() const { return send_failed_; }
  /// Whether more of the request may still go out by itself.
  bool still_sends() const { return !completely_sent_ && !send_failed_ && (!has_body_ || reading_); }
  /// Whether the API is still expected to say `100 Continue`.
  bool waits_to_continue() const { return patience_.has_value(); }
  /// Whether all of the request could be sent once more.
  bool can_send_again() const { return !caller_failed_ && (!has_body_ || replay_.whole()); }
  /// The caller's body broke off or did not come; the connection was aborted for it.
  const std::optional<common::Error>& caller_failed() const { return caller_failed_; }

  /// Whether `finish` would have to wait for anything.
  bool runs() const { return running_ > 0; }
  /// Returns when the request is completely sent, or cannot be.
  awaitable<void> wait_until_sent();
  /// Stops reading from the caller, gives up what is not yet sent, and returns when nothing of this runs any
  /// more.
  awaitable<void> finish();

 private:
  void begin_body();
  awaitable<void> pump_body();
  awaitable<void> send_rest(std::shared_ptr<UpstreamConnection> connection, TokenPtr token, unsigned attempt,
                            bool last);
  awaitable<void> send_held();
  void add_body(std::span<const char> bytes, bool last);
  void sending_ended(unsigned attempt, bool sent, bool last);
  void task_ended(std::exception_ptr failure);

  Loop& loop_;
  Exchange& exchange_;
  ReplayBuffer& replay_;
  const Timing timing_;
  const bool has_body_;
  const bool chunked_;

  std::shared_ptr<UpstreamConnection> connection_{};
  unsigned attempt_ = 0;
  OutgoingBytes outgoing_{};
  char chunk_line_[20] = {};
  std::span<const char> held_{};  // read from the caller, valid until the next read
  bool reading_ = false;          // the body was begun
  bool holding_ = false;          // what is held was neither recorded nor sent
  bool read_to_end_ = false;      // what was read last is the end of the body
  bool ready_ = false;            // whether a piece may be sent on the connection
  bool awaiting_head_ = false;
  bool completely_sent_ = false;
  bool send_failed_ = false;
  bool stopping_ = false;
  std::optional<common::Error> caller_failed_{};
  std::size_t running_ = 0;
  Signal changed_{};
  Signal ended_{};                         // for `finish` and `wait_until_sent`
  std::optional<common::Timer> patience_;  // for the API's `100 Continue`
};

}  // namespace grantd::daemon
