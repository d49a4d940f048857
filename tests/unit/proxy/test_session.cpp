// Stands in for the daemon's own sessions, so that these tests say something about the proxy alone.
#include "tests/unit/proxy/test_session.hpp"

#include <sys/socket.h>

#include <cerrno>

namespace grantd::tests {

using namespace daemon;

TestSession::TestSession(Loop& loop, common::UniqueFd socket, ApiHandler& handler,
                         std::atomic<bool>& body_was_asked_for)
    : socket_(loop), handler_(handler), body_was_asked_for_(body_was_asked_for) {
  socket_.open(std::move(socket));
  socket_.on_hung_up([this] {
    if (auto action = std::exchange(gone_action_, nullptr)) action();
  });
}

awaitable<bool> TestSession::read_more() {
  char bytes[16 * 1024];
  std::optional<ssize_t> got;
  while (!got) {
    const bool came = co_await socket_.readable();
    if (!came) co_return false;
    got = socket_.receive(bytes);
  }
  if (*got <= 0) co_return false;
  input_.erase(0, std::exchange(used_, 0));
  input_.append(bytes, static_cast<std::size_t>(*got));
  co_return true;
}

awaitable<bool> TestSession::read_request() {
  while (true) {
    if (const auto size = http1::head_size(std::string_view{input_}.substr(used_))) {
      std::string bytes = input_.substr(used_, *size);
      if (bytes != head_bytes_) memo_.reset();
      head_bytes_ = std::move(bytes);
      used_ += *size;
      if (!http1::parse_request_head(head_bytes_, head_)) co_return false;
      decoder_.emplace(head_.body);
      co_return true;
    }
    if (!co_await read_more()) co_return false;
  }
}

awaitable<void> TestSession::serve() {
  while (true) {
    const bool came = co_await read_request();
    if (!came) co_return;
    keep_alive_ = false;
    co_await handler_.handle(*this, "invoices", head_.target);
    gone_action_ = nullptr;
    if (!keep_alive_ || !decoder_->complete()) co_return;
  }
}

awaitable<common::Result<std::span<const char>>> TestSession::read_body() {
  body_was_asked_for_ = true;
  while (true) {
    const auto piece = decoder_->next(std::span{input_}.subspan(used_));
    if (!piece) co_return common::fail(common::ErrorCode::invalid_request, "broken framing");
    used_ += piece->consumed;
    if (!piece->data.empty() || decoder_->complete()) co_return piece->data;
    if (!co_await read_more())
      co_return common::fail(common::ErrorCode::invalid_request, "the body broke off");
  }
}

awaitable<void> TestSession::respond(LocalResponse response) {
  std::string text = "HTTP/1.1 " + std::to_string(response.status) +
                     " Local\r\nContent-Length: " + std::to_string(response.body.size()) + "\r\n" +
                     response.extra_headers + "\r\n";
  if (head_.method != "HEAD") text += response.body;
  const asio::const_buffer piece = asio::buffer(text);
  if (co_await write({&piece, 1})) finish_response(head_.keep_alive);
}

awaitable<bool> TestSession::write_rest(std::span<const asio::const_buffer> pieces, std::size_t) {
  std::string left;
  for (const asio::const_buffer& piece : pieces)
    left.append(static_cast<const char*>(piece.data()), piece.size());
  while (!left.empty()) {
    const ssize_t sent = ::send(socket_.get(), left.data(), left.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent < 0 && errno != EAGAIN) co_return false;
    if (sent > 0) left.erase(0, static_cast<std::size_t>(sent));
    if (left.empty()) break;
    const bool ready = co_await socket_.writable();
    if (!ready) co_return false;
  }
  co_return true;
}

awaitable<bool> TestSession::write_from(Pipe& pipe) {
  while (pipe.move_to(socket_.get())) {
    if (pipe.size() == 0) co_return true;
    const bool ready = co_await socket_.writable();
    if (!ready) break;
  }
  co_return false;
}

void TestSession::finish_response(bool keep_alive) { keep_alive_ = keep_alive; }

}  // namespace grantd::tests
