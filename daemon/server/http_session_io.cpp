// Bodies and responses of a session. A coroutine of a handler may read the body while another writes the
// response, so each direction has a deadline of its own.
#include <linux/sockios.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <system_error>

#include "daemon/http1/gathered_body.hpp"
#include "daemon/server/http_session.hpp"

namespace grantd::daemon {

using common::ErrorCode;
using common::fail;

namespace {

constexpr std::chrono::seconds silence{60};
constexpr std::chrono::seconds drain_silence{2};
constexpr const char* nobody_wants_it = "nobody wants the request's body";
constexpr std::uint64_t most_drained = 64 * 1024;

std::string_view reason(int status) {
  switch (status) {
    case 200:
      return "OK";
    case 204:
      return "No Content";
    case 400:
      return "Bad Request";
    case 403:
      return "Forbidden";
    case 404:
      return "Not Found";
    case 405:
      return "Method Not Allowed";
    case 408:
      return "Request Timeout";
    case 413:
      return "Content Too Large";
    case 422:
      return "Unprocessable Content";
    case 429:
      return "Too Many Requests";
    case 431:
      return "Request Header Fields Too Large";
    case 500:
      return "Internal Server Error";
    case 501:
      return "Not Implemented";
    case 502:
      return "Bad Gateway";
    case 503:
      return "Service Unavailable";
    case 504:
      return "Gateway Timeout";
    default:
      return "Unknown";
  }
}

std::size_t total_size(std::span<const asio::const_buffer> pieces) {
  std::size_t total = 0;
  for (const auto& piece : pieces) total += piece.size();
  return total;
}

// The kernel takes one piece faster than several, by more than it costs to put small ones together.
constexpr std::size_t cheaply_joined = 2048;

std::optional<std::size_t> send_joined(int socket, std::span<const asio::const_buffer> pieces) {
  std::array<char, cheaply_joined> joined;
  std::size_t size = 0;
  for (const auto& piece : pieces) {
    if (piece.size() != 0) std::memcpy(joined.data() + size, piece.data(), piece.size());
    size += piece.size();
  }
  ssize_t taken = 0;
  do {
    taken = ::send(socket, joined.data(), size, MSG_NOSIGNAL | MSG_DONTWAIT);
  } while (taken < 0 && errno == EINTR);
  const int failure = errno;
  ::explicit_bzero(joined.data(), size);
  if (taken >= 0) return static_cast<std::size_t>(taken);
  if (failure == EAGAIN) return 0;
  return std::nullopt;
}

/// Adds a descriptor to a message (unix(7)), -1: none. Outlives the sending.
struct Passing {
  Passing(msghdr& message, int descriptor) {
    if (descriptor < 0) return;
    message.msg_control = control;
    message.msg_controllen = sizeof control;
    cmsghdr* head = CMSG_FIRSTHDR(&message);
    head->cmsg_level = SOL_SOCKET;
    head->cmsg_type = SCM_RIGHTS;
    head->cmsg_len = CMSG_LEN(sizeof descriptor);
    std::memcpy(CMSG_DATA(head), &descriptor, sizeof descriptor);
  }
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
};

void append_number(std::string& out, std::size_t number) {
  std::array<char, 24> digits;
  out.append(digits.data(), std::to_chars(digits.data(), digits.data() + digits.size(), number).ptr);
}

}  // namespace

bool HttpSession::will_close() const {
  if (!head_.keep_alive || state_->draining || broken_) return true;
  if (decoder_.complete()) return false;
  return head_.body.kind != http1::BodyLength::Kind::fixed || body_left_ > most_drained || !continued_;
}

void HttpSession::make_room_for_body() {
  if (reading_large_) return;
  const bool fixed = head_.body.kind == http1::BodyLength::Kind::fixed;
  if (fixed && body_left_ <= input_.room().size()) return;
  body_.take_pending(input_);
  reading_large_ = true;
}

awaitable<common::Result<std::span<const char>>> HttpSession::read_body() {
  reading_stopped_ = false;
  if (!continued_) {
    continued_ = true;
    if (!written_ && input_.pending().empty()) {
      const bool sent = co_await send_continue();
      if (!sent) co_return fail(ErrorCode::invalid_request, "the caller is gone");
    }
  }
  while (!decoder_.complete()) {
    const auto piece = http1::gather_body(decoder_, body_input().pending());
    if (!piece) {
      broken_ = true;
      co_return fail(ErrorCode::invalid_request,
                     "the request's body is malformed: " + std::string{piece.error()});
    }
    body_input().consume(piece->consumed);
    if (!piece->data.empty()) {
      if (head_.body.kind == http1::BodyLength::Kind::fixed) body_left_ -= piece->data.size();
      co_return piece->data;
    }
    if (piece->consumed > 0) continue;

    make_room_for_body();
    InputBuffer& input = body_input();
    if (gives_way()) co_await OthersTurn{};
    if (reading_stopped_) co_return fail(ErrorCode::invalid_request, nobody_wants_it);
    read_timed_out_ = false;
    if (deadlines_) deadlines_->read.arm_after(draining_body_ ? drain_silence : silence);
    std::optional<ssize_t> got;
    while (!got) {
      const bool came = co_await socket_.readable();
      if (!came) break;
      got = socket_.receive(input.room());
    }
    if (!socket_.is_open()) co_return fail(ErrorCode::invalid_request, "the connection was closed");
    deadlines_->read.disarm();
    if (!got && !read_timed_out_) co_return fail(ErrorCode::invalid_request, nobody_wants_it);
    if (got && *got > 0) {
      input.received(static_cast<std::size_t>(*got));
      continue;
    }
    broken_ = true;
    if (read_timed_out_) {
      co_return fail(ErrorCode::request_timeout, "nothing of the request's body arrived for 60 s");
    }
    co_return fail(ErrorCode::invalid_request, "the connection ended within the request's body");
  }
  co_return std::span<const char>{};
}

awaitable<bool> HttpSession::send_continue() {
  static constexpr std::string_view interim = "HTTP/1.1 100 Continue\r\n\r\n";
  const asio::const_buffer piece{interim.data(), interim.size()};
  const auto sent = send_now({&piece, 1}, 0);
  if (!sent) co_return false;
  if (*sent == interim.size()) co_return true;
  const bool rest = co_await write_rest({&piece, 1}, *sent);
  co_return rest;
}

awaitable<bool> HttpSession::drain_body() {
  draining_body_ = true;
  continued_ = true;
  std::uint64_t drained = 0;
  bool good = true;
  while (good && !decoder_.complete()) {
    const auto piece = co_await read_body();
    if (piece) drained += piece->size();
    good = piece && drained <= most_drained;
  }
  draining_body_ = false;
  co_return good;
}

bool HttpSession::has_unread() {
  int unread = 0;
  return ::ioctl(socket_.get(), SIOCOUTQ, &unread) == 0 && unread > 0;
}

// Only to a caller that reads: whoever does not could use up what may be under way to all of them.
awaitable<bool> HttpSession::respond_passing(int descriptor, LocalResponse response) {
  if (has_unread()) {
    state_->parts.metrics.page_withheld("unread");
    co_return false;
  }
  co_await send_response(std::move(response), descriptor);
  co_return written_;
}

bool HttpSession::was_passed(std::optional<std::size_t> sent) {
  const std::error_code failure{sent ? EAGAIN : errno, std::generic_category()};
  passed_descriptor_ = passed_descriptor_ || (sent && *sent > 0);
  if (sent && *sent > 0) {
    state_->parts.metrics.page_passed();
    state_->passing_refused = false;
    return true;
  }
  written_ = false;
  if (failure == std::errc::broken_pipe || failure == std::errc::connection_reset) return false;
  state_->parts.metrics.page_withheld("refused");
  if (!std::exchange(state_->passing_refused, true)) {
    state_->parts.log.warning("page_refused",
                              {{"detail", "the kernel passes no page to callers: " + failure.message()}});
  }
  return false;
}

awaitable<void> HttpSession::send_response(LocalResponse response, int descriptor) {
  if (written_) throw std::logic_error("a second response to one request");
  const bool close = will_close();
  std::string& head = state_->head_scratch;
  head.assign("HTTP/1.1 ");
  append_number(head, static_cast<std::size_t>(response.status));
  head.append(1, ' ').append(reason(response.status)).append("\r\n");
  const bool has_body = !response.content_type.empty();
  const std::string_view body = response.text();
  if (has_body) head.append("Content-Type: ").append(response.content_type).append("\r\n");
  if (response.status != 204) {
    head.append("Content-Length: ");
    append_number(head, has_body ? body.size() : 0);
    head.append("\r\n");
  }
  head.append(response.fixed_headers).append(response.extra_headers);
  if (close) {
    head.append("Connection: close\r\n");
  } else if (head_.minor_version == 0) {
    head.append("Connection: keep-alive\r\n");
  }
  head.append("\r\n");

  const bool body_sent = has_body && head_.method != "HEAD";
  const std::array<asio::const_buffer, 2> pieces{
      asio::buffer(head), asio::const_buffer(body.data(), body_sent ? body.size() : 0)};
  written_ = true;
  const auto sent = send_now(pieces, 0, descriptor);
  if (descriptor != no_descriptor && !was_passed(sent)) return awaitable<>::ready();
  broken_ = broken_ || !sent;
  finished_ = sent && *sent == total_size(pieces);
  keep_alive_ = finished_ && !close;
  if (finished_ || broken_) return awaitable<>::ready();
  return respond_with_rest(std::move(response), *sent, body_sent, !close);
}

awaitable<void> HttpSession::respond_with_rest(LocalResponse response, std::size_t sent, bool with_body,
                                               bool keep_alive) {
  const std::string head = state_->head_scratch;  // the scratch is everybody's
  const std::string_view body = response.text();
  const std::array<asio::const_buffer, 2> pieces{
      asio::buffer(head), asio::const_buffer(body.data(), with_body ? body.size() : 0)};
  finished_ = co_await write_rest(pieces, sent);
  keep_alive_ = finished_ && keep_alive;
}

std::optional<std::size_t> HttpSession::write_some(std::span<const asio::const_buffer> pieces) {
  written_ = true;
  const auto sent = send_now(pieces, 0);
  broken_ = broken_ || !sent;
  return sent;
}

void HttpSession::finish_response(bool keep_alive) {
  finished_ = true;
  keep_alive_ = keep_alive && head_.keep_alive;
}

std::optional<std::size_t> HttpSession::send_now(std::span<const asio::const_buffer> pieces, std::size_t skip,
                                                 int descriptor) {
  if (skip == 0 && descriptor == no_descriptor && total_size(pieces) <= cheaply_joined)
    return send_joined(socket_.get(), pieces);
  std::size_t sent = skip;
  while (true) {
    std::array<iovec, 16> vectors;
    std::size_t count = 0;
    std::size_t offered = 0;
    std::size_t passed = sent;  // still to be skipped over
    for (const auto& piece : pieces) {
      if (count == vectors.size()) break;
      if (passed >= piece.size()) {
        passed -= piece.size();
        continue;
      }
      char* const start = const_cast<char*>(static_cast<const char*>(piece.data())) + passed;
      vectors[count++] = {start, piece.size() - passed};
      offered += piece.size() - passed;
      passed = 0;
    }
    if (count == 0) return sent;
    msghdr message{};
    message.msg_iov = vectors.data();
    message.msg_iovlen = count;
    Passing passing{message, descriptor};
    const ssize_t taken = ::sendmsg(socket_.get(), &message, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (taken >= 0) {
      descriptor = no_descriptor;
      sent += static_cast<std::size_t>(taken);
      if (static_cast<std::size_t>(taken) < offered) return sent;
    } else if (errno == EAGAIN) {
      return sent;
    } else if (errno != EINTR) {
      return std::nullopt;
    }
  }
}

awaitable<bool> HttpSession::write_rest(std::span<const asio::const_buffer> pieces, std::size_t written) {
  const std::size_t total = total_size(pieces);
  while (written < total) {
    const bool room = co_await wait_for_room();
    const auto now_written = room ? send_now(pieces, written) : std::nullopt;
    if (!now_written) {
      broken_ = true;
      co_return false;
    }
    written = *now_written;
  }
  co_return true;
}

awaitable<bool> HttpSession::write_from(Pipe& pipe) {
  written_ = true;
  bool taken = socket_.is_open() && pipe.move_to(socket_.get());
  while (taken && pipe.size() > 0) {
    const bool room = co_await wait_for_room();
    taken = room && pipe.move_to(socket_.get());
  }
  broken_ = broken_ || !taken;
  co_return taken;
}

awaitable<bool> HttpSession::wait_for_room() {
  write_timed_out_ = false;
  deadlines_->write.arm_after(silence);
  co_await socket_.writable();
  if (socket_.is_open()) deadlines_->write.disarm();
  co_return socket_.is_open() && !write_timed_out_;
}

}  // namespace grantd::daemon
