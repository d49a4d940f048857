// One coroutine reads the caller's body and sends it on. It always holds the piece it read until the
// connection is ready for it, so that a new attempt knows exactly what was recorded and what is still to
// come. A request without a body, the usual case, starts no coroutine at all.
#include "daemon/proxy/request_pump.hpp"

#include <charconv>
#include <stdexcept>

namespace grantd::daemon {
namespace {

constexpr std::chrono::seconds patience{1};

bool has_body(const http1::BodyLength& body) {
  return body.kind == http1::BodyLength::Kind::chunked ||
         (body.kind == http1::BodyLength::Kind::fixed && body.size > 0);
}

}  // namespace

RequestPump::RequestPump(Loop& loop, Exchange& exchange, ReplayBuffer& replay, Timing timing)
    : loop_(loop),
      exchange_(exchange),
      replay_(replay),
      timing_(timing),
      has_body_(has_body(exchange.request().body)),
      chunked_(exchange.request().body.kind == http1::BodyLength::Kind::chunked) {}

void RequestPump::send_on(std::shared_ptr<UpstreamConnection> connection, OutgoingHead head, TokenPtr token) {
  const bool first = attempt_++ == 0;
  if (!first && !can_send_again()) throw std::logic_error("a request is sent again without all of its body");
  connection_ = std::move(connection);
  ready_ = completely_sent_ = send_failed_ = false;
  if (has_body_ && !reading_) {
    if (exchange_.request().expects_continue) {
      patience_.emplace(loop_.timers(), [this] { continue_with_body(); }).arm_after(patience);
    } else {
      // Runs as far as it can: a body that came together with the head is held when this returns.
      begin_body();
    }
    if (caller_failed_) return;
  }
  outgoing_.clear();
  outgoing_.add(head.head);
  outgoing_.add(head.proof);
  outgoing_.add(token->type == TokenType::dpop ? std::string_view{"Authorization: DPoP "}
                                               : std::string_view{"Authorization: Bearer "});
  outgoing_.add(token->access_token.reveal());
  outgoing_.add(std::string_view{"\r\n\r\n"});
  if (has_body_ && first && holding_) {
    holding_ = false;
    replay_.record(held_);
    add_body(held_, read_to_end_);
  } else if (has_body_ && !first) {
    add_body(replay_.bytes(), read_to_end_ && !holding_);
  }
  const bool last = !has_body_ || (read_to_end_ && !holding_);
  switch (connection_->send_now(outgoing_)) {
    case UpstreamConnection::Sent::all:
      return sending_ended(attempt_, true, last);
    case UpstreamConnection::Sent::broken:
      return sending_ended(attempt_, false, last);
    case UpstreamConnection::Sent::some:
      break;
  }
  ++running_;
  loop_.spawn(send_rest(connection_, std::move(token), attempt_, last),
              [this](std::exception_ptr failure) { task_ended(failure); });
}

void RequestPump::begin_body() {
  patience_.reset();
  reading_ = true;
  ++running_;
  loop_.spawn(pump_body(), [this](std::exception_ptr failure) { task_ended(failure); });
}

void RequestPump::continue_with_body() {
  if (has_body_ && !reading_ && !stopping_) begin_body();
}

void RequestPump::set_awaiting_head(bool awaiting) {
  awaiting_head_ = awaiting;
  // A final response in place of `100 Continue` means that nobody wants the body.
  if (!awaiting) patience_.reset();
}

void RequestPump::add_body(std::span<const char> bytes, bool last) {
  if (!chunked_) return outgoing_.add(bytes);
  if (!bytes.empty()) {
    char* const end = std::to_chars(chunk_line_, chunk_line_ + sizeof chunk_line_ - 2, bytes.size(), 16).ptr;
    end[0] = '\r';
    end[1] = '\n';
    outgoing_.add(std::string_view{chunk_line_, end + 2});
    outgoing_.add(bytes);
    outgoing_.add(std::string_view{"\r\n"});
  }
  if (last) outgoing_.add(std::string_view{"0\r\n\r\n"});
}

void RequestPump::sending_ended(unsigned attempt, bool sent, bool last) {
  if (attempt != attempt_) return;
  send_failed_ = !sent;
  if (sent) {
    ready_ = true;
    changed_.notify();
    completely_sent_ = last;
  }
  if (still_sends() || waits_to_continue()) return;
  ended_.notify();
  if (awaiting_head_) {
    connection_->set_read_deadline(loop_.timers().now() + timing_.response);
  } else if (connection_->reading()) {
    connection_->set_read_deadline(loop_.timers().now() + timing_.idle);
  }
}

awaitable<void> RequestPump::send_rest(std::shared_ptr<UpstreamConnection> connection, TokenPtr,
                                       unsigned attempt, bool last) {
  const bool sent = co_await connection->send(outgoing_, timing_.idle);
  sending_ended(attempt, sent, last);
}

awaitable<void> RequestPump::send_held() {
  const unsigned attempt = attempt_;
  const bool last = read_to_end_;
  const auto connection = connection_;
  holding_ = false;
  ready_ = false;
  replay_.record(held_);
  outgoing_.clear();
  add_body(held_, last);
  const bool sent = co_await connection->send(outgoing_, timing_.idle);
  sending_ended(attempt, sent, last);
}

awaitable<void> RequestPump::pump_body() {
  while (!stopping_) {
    const auto piece = co_await exchange_.read_body();
    if (stopping_) co_return;
    if (!piece) {
      caller_failed_ = piece.error();
      connection_->abort();
      co_return;
    }
    held_ = *piece;
    holding_ = true;
    read_to_end_ = piece->empty() || exchange_.body_complete();
    // After a failed sending there may be another attempt; until then nothing more is read.
    while (!stopping_ && !ready_) co_await changed_.wait();
    if (holding_ && !stopping_) co_await send_held();
    if (read_to_end_) co_return;
    while (!stopping_ && !ready_) co_await changed_.wait();
  }
}

void RequestPump::task_ended(std::exception_ptr failure) {
  --running_;
  if (failure && !stopping_) {
    caller_failed_ = common::Error{.code = common::ErrorCode::internal_error,
                                   .detail = "the request could not be passed on"};
    connection_->abort();
  }
  ended_.notify();
}

awaitable<void> RequestPump::wait_until_sent() {
  while (still_sends() && !caller_failed_ && running_ > 0) co_await ended_.wait();
}

awaitable<void> RequestPump::finish() {
  stopping_ = true;
  patience_.reset();
  if (running_ == 0) co_return;
  if (!completely_sent_) connection_->abort();
  changed_.notify();
  exchange_.stop_reading_body();
  while (running_ > 0) co_await ended_.wait();
}

}  // namespace grantd::daemon
