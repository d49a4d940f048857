// One coroutine a connection, written so that the usual request costs two system calls besides waiting: it is
// read when the kernel says that it is there, and a response is offered to the kernel at once. Deadlines
// move a timer that is already queued; buffers, fields and the parser are reused. What is rare (large heads,
// slow readers, bodies) may cost more and lives in http_session_io.cpp.
#include "daemon/server/http_session.hpp"

#include <sys/socket.h>

#include "common/local_api.hpp"

namespace grantd::daemon {

using common::Error;
using common::ErrorCode;

namespace {

constexpr std::chrono::seconds head_time{10};
constexpr std::chrono::seconds linger_time{2};
constexpr std::chrono::milliseconds gone_delay{20};
constexpr std::chrono::seconds receipt_interval{1};
constexpr unsigned most_at_once = 16;  // requests, or reads of a body
constexpr std::size_t most_lingered = 512 * 1024;

// Nobody knows here whether the request was for an API, whose own answer this must not be taken for.
LocalResponse own_answer(const Error& error) {
  LocalResponse response = problem_response(error);
  response.extra_headers.append(local_api::error_header).append(": ").append(name(error.code)).append("\r\n");
  return response;
}

}  // namespace

HttpSession::Deadlines::Deadlines(common::TimerQueue& timers, HttpSession& session)
    : read(timers,
           [&session] {
             session.read_timed_out_ = true;
             session.socket_.interrupt_reading();
           }),
      write(timers,
            [&session] {
              session.write_timed_out_ = true;
              session.socket_.interrupt_writing();
            }),
      gone(timers, [&session] {
        if (session.phase_ == Phase::unreceived) return session.end();
        session.told_when_gone_ = true;
        session.note_hang_up();
      }) {}

HttpSession::HttpSession(std::shared_ptr<ServerState> state, common::UniqueFd socket, PeerIdentity peer,
                         Handler& handler, ServerState::Origin origin)
    : state_(std::move(state)),
      socket_(state_->parts.loop),
      peer_(std::move(peer)),
      handler_(handler),
      origin_(origin),
      deadlines_(std::in_place, state_->parts.loop.timers(), *this),
      input_(state_->buffers),
      body_(state_->buffers) {
  socket_.open(std::move(socket));
  socket_.on_hung_up([this] { note_hang_up(); });
  state_->sessions.insert(this);
}

HttpSession::~HttpSession() { close(); }

void HttpSession::start() {
  admitted_ = true;
  state_->parts.loop.spawn(run(), [self = shared_from_this()](std::exception_ptr) { self->end(); });
}

void HttpSession::start_refusing(const Error& error) {
  ++state_->refusing;
  state_->parts.loop.spawn(refuse(error), [self = shared_from_this()](std::exception_ptr) { self->close(); });
}

void HttpSession::drain() {
  if (phase_ == Phase::unreceived) return close();
  head_.keep_alive = false;  // seen by handlers that write a head of their own
  if (phase_ != Phase::idle) return;
  // A request that has arrived is still answered: its read is about to complete.
  char byte = 0;
  if (::recv(socket_.get(), &byte, 1, MSG_PEEK | MSG_DONTWAIT) <= 0) socket_.interrupt_reading();
}

void HttpSession::abort() {
  if (phase_ == Phase::unreceived) return close();
  broken_ = true;
  if (auto action = std::exchange(gone_action_, nullptr)) action();
  socket_.close();
}

void HttpSession::detach() {
  const auto keep = std::exchange(unreceived_, nullptr);
  deadlines_.reset();
}

// The kernel counts descriptors that were passed and not received against the daemon's user, who may have no
// more of them than open ones (ETOOMANYREFS), also when the connection is closed. As one goes to a caller
// that has read everything else, and its connection stays open and the caller's until it is received, they
// can never be more than connections.
void HttpSession::end() {
  const auto keep = shared_from_this();
  const bool received = !passed_descriptor_ || !socket_.is_open() || !has_unread();
  if (received || state_->detached || state_->draining) return close();
  ::shutdown(socket_.get(), SHUT_RDWR);
  phase_ = Phase::unreceived;
  unreceived_ = keep;
  deadlines_->gone.arm_after(receipt_interval);
}

void HttpSession::close() {
  if (phase_ == Phase::closing) return;
  phase_ = Phase::closing;
  const auto keep = std::exchange(unreceived_, nullptr);
  gone_action_ = nullptr;
  if (state_->detached) return;
  deadlines_.reset();
  socket_.close();
  input_.release();
  body_.release();
  state_->sessions.erase(this);
  if (admitted_) {
    state_->dismiss(origin_, peer_);
  } else {
    --state_->refusing;
  }
  if (state_->sessions.empty() && state_->on_empty) state_->on_empty();
}

HttpSession::NextHead HttpSession::next_head() {
  if (input_.text().starts_with("\r\n")) input_.consume(2);  // RFC 9112 section 2.2
  const std::string_view text = input_.text();
  if (text.empty()) return NextHead::incomplete;
  // Who keeps a connection mostly asks the same thing again. A head ends at its first empty line, so what
  // begins like this one has it as its head.
  if (!last_head_.empty() && text.starts_with(last_head_)) {
    input_.consume(last_head_.size());
    return begin_request();
  }
  const auto size = http1::head_size(text);
  if (size ? *size > local_api::max_request_head : text.size() >= local_api::max_request_head) {
    refusal_ = {.code = ErrorCode::headers_too_large, .detail = "the request's head is larger than 32 KiB"};
    return NextHead::refused;
  }
  if (!size) return NextHead::incomplete;
  memo_.reset();
  if (auto parsed = http1::parse_request_head(text.substr(0, *size), head_); !parsed) {
    refusal_ = std::move(parsed.error());
    return NextHead::refused;
  }
  remember_head(text.substr(0, *size));
  input_.consume(*size);
  if (last_head_.empty()) input_.mark();
  return begin_request();
}

void HttpSession::remember_head(std::string_view bytes) {
  if (bytes.size() > InputBuffer::small || !http1::may_be_remembered(head_)) {
    std::string{}.swap(last_head_);
    return;
  }
  last_head_.assign(bytes);
  http1::refer_to_copy(head_, bytes, last_head_);
}

HttpSession::NextHead HttpSession::begin_request() {
  decoder_ = http1::BodyDecoder{head_.body};
  body_left_ = head_.body.size;
  written_ = finished_ = keep_alive_ = false;
  continued_ = !head_.expects_continue;
  if (state_->draining) head_.keep_alive = false;
  return NextHead::ready;
}

void HttpSession::begin_waiting() {
  input_.unmark();
  if (reading_large_) {
    if (!body_.pending().empty()) input_.swap(body_);
    body_.release();
    reading_large_ = false;
  }
  input_.rest();
  phase_ = Phase::idle;
  read_timed_out_ = false;
  deadlines_->read.arm_after(state_->idle_timeout);
}

bool HttpSession::gives_way() {
  if (!socket_.may_read() && input_.pending().empty()) at_once_ = 0;
  return ++at_once_ % most_at_once == 0;
}

awaitable<void> HttpSession::run() {
  while (true) {
    if (gives_way()) co_await OthersTurn{};
    begin_waiting();
    NextHead next = next_head();
    while (next == NextHead::incomplete) {
      if (input_.pending().empty()) {
        if (state_->draining) co_return;
      } else if (phase_ == Phase::idle) {
        phase_ = Phase::head;
        deadlines_->read.arm_after(head_time);
      }
      const bool came = co_await socket_.readable();
      if (!came) break;
      if (!input_.has_room()) input_.enlarge();
      const auto got = socket_.receive(input_.room());
      if (!got) continue;
      if (*got <= 0) break;
      input_.received(static_cast<std::size_t>(*got));
      next = next_head();
    }
    if (next == NextHead::incomplete) {
      if (phase_ != Phase::head || !read_timed_out_) co_return;
      refusal_ = {.code = ErrorCode::request_timeout,
                  .detail = "the request's head was not complete within 10 s"};
      next = NextHead::refused;
    }
    deadlines_->read.disarm();
    phase_ = Phase::handling;
    if (next == NextHead::refused) {
      co_await refuse(std::move(refusal_));
      co_return;
    }

    std::exception_ptr failure;
    try {
      co_await handler_.handle(*this);
    } catch (...) {
      failure = std::current_exception();
    }
    gone_action_ = nullptr;
    const bool plain = !failure && finished_ && keep_alive_ && !broken_ && decoder_.complete();
    if (plain && !state_->draining && socket_.is_open()) continue;
    const bool again = co_await end_request(failure);
    if (!again) co_return;
  }
}

awaitable<void> HttpSession::refuse(Error error) {
  phase_ = Phase::handling;
  memo_.reset();
  std::string{}.swap(last_head_);
  head_ = http1::RequestHead{};
  head_.keep_alive = false;
  written_ = false;
  LocalResponse response = own_answer(error);
  if (error.code == ErrorCode::method_not_allowed) {
    response.extra_headers += "Allow: GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS\r\n";
  }
  co_await respond(std::move(response));
  co_await linger();
}

awaitable<bool> HttpSession::end_request(std::exception_ptr failure) {
  if (!socket_.is_open()) co_return false;
  if (failure || (!finished_ && !written_ && !broken_)) report_failure(failure);
  if (!finished_ && !written_ && !broken_) {
    broken_ = true;
    LocalResponse response =
        own_answer({.code = ErrorCode::internal_error, .detail = "a bug in the daemon; its log says more"});
    co_await respond(std::move(response));
  }
  if (!finished_) co_return false;
  bool again = keep_alive_ && !broken_ && !state_->draining;
  if (again && !decoder_.complete()) again = co_await drain_body();
  if (!again) {
    const bool unread = !decoder_.complete() || !body_input().pending().empty();
    if (unread) co_await linger();
  }
  co_return again;
}

void HttpSession::report_failure(std::exception_ptr failure) {
  std::string what = "the handler ended without a response";
  try {
    if (failure) std::rethrow_exception(failure);
  } catch (const std::exception& error) {
    what = error.what();
  } catch (...) {
    what = "an exception of unknown type";
  }
  state_->parts.log.error("internal_error", {{"what", what}, {"method", head_.method}, {"path", head_.path}});
}

awaitable<void> HttpSession::linger() {
  ::shutdown(socket_.get(), SHUT_WR);
  read_timed_out_ = false;
  deadlines_->read.arm_after(linger_time);
  InputBuffer& input = body_input();
  input.unmark();
  for (std::size_t seen = 0; seen < most_lingered;) {
    input.consume(input.pending().size());
    const bool came = co_await socket_.readable();
    if (!came) co_return;
    const auto got = socket_.receive(input.room());
    if (!got) continue;
    if (*got <= 0) co_return;
    input.received(static_cast<std::size_t>(*got));
    seen += static_cast<std::size_t>(*got);
  }
}

void HttpSession::on_caller_gone(std::move_only_function<void()> action) {
  gone_action_ = std::move(action);
  told_when_gone_ = false;
  if (!deadlines_) return;
  if (gone_action_ && phase_ == Phase::handling) {
    deadlines_->gone.arm_after(gone_delay);
  } else {
    deadlines_->gone.disarm();
  }
}

// A half-closed connection is readable; only a closed one has the kernel report an error condition. A caller
// that does not wait for its answer may still want the request to arrive, so that gets a moment.
void HttpSession::note_hang_up() {
  if (!gone_action_ || !told_when_gone_ || !socket_.hung_up()) return;
  broken_ = true;
  std::exchange(gone_action_, nullptr)();
}

}  // namespace grantd::daemon
