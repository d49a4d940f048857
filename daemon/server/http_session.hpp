#pragma once

#include <memory>
#include <optional>

#include "common/timer_queue.hpp"
#include "daemon/http1/body_decoder.hpp"
#include "daemon/server/handler.hpp"
#include "daemon/server/input_buffer.hpp"
#include "daemon/server/server_state.hpp"

namespace grantd::daemon {

/// One connection: its requests one after the other, each as the Exchange its handler works with. One
/// coroutine runs it from accept to close. Loop thread only; it keeps itself alive while anything is under
/// way.
class HttpSession final : public Exchange, public std::enable_shared_from_this<HttpSession> {
 public:
  HttpSession(std::shared_ptr<ServerState> state, common::UniqueFd socket, PeerIdentity peer,
              Handler& handler, ServerState::Origin origin);
  ~HttpSession() override;

  /// Serves the connection, which was admitted.
  void start();
  /// Answers with `error`, whatever is asked, and closes.
  void start_refusing(const common::Error& error);

  /// No further request: closes now if idle, else after the response.
  void drain();
  /// Closes now, breaking off what is under way.
  void abort();
  /// The loop's timers are about to go.
  void detach();

  const http1::RequestHead& request() const override { return head_; }
  const PeerIdentity& peer() const override { return peer_; }
  std::unique_ptr<RequestMemo>* memo() override { return last_head_.empty() ? nullptr : &memo_; }
  awaitable<common::Result<std::span<const char>>> read_body() override;
  bool body_complete() const override { return decoder_.complete(); }
  void stop_reading_body() override {
    reading_stopped_ = true;
    socket_.interrupt_reading();
  }
  awaitable<void> respond(LocalResponse response) override {
    return send_response(std::move(response), no_descriptor);
  }
  awaitable<bool> respond_passing(int descriptor, LocalResponse response) override;
  std::optional<std::size_t> write_some(std::span<const asio::const_buffer> pieces) override;
  awaitable<bool> write_rest(std::span<const asio::const_buffer> pieces, std::size_t written) override;
  awaitable<bool> write_from(Pipe& pipe) override;
  void finish_response(bool keep_alive) override;
  void on_caller_gone(std::move_only_function<void()> action) override;

 private:
  /// `unreceived`: over, but for a descriptor that the caller has not received.
  enum class Phase { idle, head, handling, unreceived, closing };
  enum class NextHead { ready, incomplete, refused };
  struct Deadlines {
    Deadlines(common::TimerQueue& timers, HttpSession& session);
    common::Timer read;
    common::Timer write;
    common::Timer gone;
  };

  static constexpr int no_descriptor = -1;

  awaitable<void> run();
  awaitable<void> refuse(common::Error error);
  /// Whether there may be another request.
  awaitable<bool> end_request(std::exception_ptr failure);
  void report_failure(std::exception_ptr failure);
  awaitable<bool> drain_body();
  /// Closes the sending side and takes what the caller still sends, so that it gets to read the answer.
  awaitable<void> linger();
  NextHead next_head();
  NextHead begin_request();
  void remember_head(std::string_view bytes);
  void begin_waiting();
  /// Closes, as soon as the caller has received what was passed to it or is gone.
  void end();
  /// Whether it is somebody else's turn, for a caller that never lets this session wait.
  bool gives_way();
  void close();

  InputBuffer& body_input() { return reading_large_ ? body_ : input_; }
  void make_room_for_body();
  awaitable<bool> send_continue();
  awaitable<void> send_response(LocalResponse response, int descriptor);
  std::optional<std::size_t> send_now(std::span<const asio::const_buffer> pieces, std::size_t skip,
                                      int descriptor = no_descriptor);
  /// Until more can be sent. False: the caller is gone, or did not read for too long.
  awaitable<bool> wait_for_room();
  /// Notes what became of a descriptor, right after `sent` bytes were sent with it. False: nothing was.
  bool was_passed(std::optional<std::size_t> sent);
  /// Whether the caller has not read all that was sent to it.
  bool has_unread();
  bool will_close() const;
  awaitable<void> respond_with_rest(LocalResponse response, std::size_t sent, bool with_body,
                                    bool keep_alive);
  void note_hang_up();

  const std::shared_ptr<ServerState> state_;
  WatchedFd socket_;
  const PeerIdentity peer_;
  Handler& handler_;
  const ServerState::Origin origin_;
  std::optional<Deadlines> deadlines_;

  Phase phase_ = Phase::idle;
  bool admitted_ = false;
  bool read_timed_out_ = false;
  bool write_timed_out_ = false;
  bool broken_ = false;  // what follows on the connection cannot be understood, or nobody is there

  // Of the request at hand.
  bool written_ = false;   // some of the response
  bool finished_ = false;  // all of it
  bool keep_alive_ = false;
  bool continued_ = false;  // whether 100 Continue was sent, or is not to be
  bool reading_large_ = false;
  bool draining_body_ = false;
  bool reading_stopped_ = false;  // the read of the body that is under way
  unsigned at_once_ = 0;          // what was dealt with since anything had to be waited for
  std::uint64_t body_left_ = 0;   // bytes of a fixed body not handed out yet

  InputBuffer input_;
  InputBuffer body_;  // takes over from input_, whose front holds the head, for large bodies
  http1::RequestHead head_;
  std::string last_head_{};  // what `head_` refers to, if it may be remembered; else empty
  std::unique_ptr<RequestMemo> memo_{};
  http1::BodyDecoder decoder_{http1::BodyLength{}};
  common::Error refusal_;

  bool passed_descriptor_ = false;
  std::shared_ptr<HttpSession> unreceived_;  // this, while in the phase of that name

  std::move_only_function<void()> gone_action_;
  bool told_when_gone_ = false;  // the request has had its moment
};

}  // namespace grantd::daemon
