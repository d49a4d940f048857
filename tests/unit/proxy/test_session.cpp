// Stands in for the daemon's own sessions, so that these tests say something about the proxy alone.
#include "tests/unit/proxy/test_session.hpp"

#include <boost/asio/redirect_error.hpp>
#include <boost/asio/write.hpp>

namespace grantd::tests {

using namespace daemon;

TestSession::TestSession(LocalSocket socket, ApiHandler& handler, std::atomic<bool>& body_was_asked_for)
    : socket_(std::move(socket)), handler_(handler), body_was_asked_for_(body_was_asked_for) {}

void TestSession::watch() {
  socket_.async_wait(LocalSocket::wait_error,
                     [this, alive = std::weak_ptr{alive_}](const boost::system::error_code& error) {
                       if (error || alive.expired()) return;
                       if (auto action = std::exchange(gone_action_, nullptr)) action();
                     });
}

awaitable<bool> TestSession::read_more() {
  char bytes[16 * 1024];
  boost::system::error_code failed;
  const std::size_t got =
      co_await socket_.async_read_some(asio::buffer(bytes), asio::redirect_error(use_awaitable, failed));
  if (failed) co_return false;
  input_.erase(0, std::exchange(used_, 0));
  input_.append(bytes, got);
  co_return true;
}

awaitable<bool> TestSession::read_request() {
  while (true) {
    if (const auto size = http1::head_size(std::string_view{input_}.substr(used_))) {
      head_bytes_ = input_.substr(used_, *size);
      used_ += *size;
      if (!http1::parse_request_head(head_bytes_, head_)) co_return false;
      decoder_.emplace(head_.body);
      co_return true;
    }
    if (!co_await read_more()) co_return false;
  }
}

void TestSession::close() {
  boost::system::error_code ignored;
  socket_.close(ignored);
}

awaitable<void> TestSession::serve() {
  watch();
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
  boost::system::error_code failed;
  const std::vector<asio::const_buffer> buffers{pieces.begin(), pieces.end()};
  co_await asio::async_write(socket_, buffers, asio::redirect_error(use_awaitable, failed));
  co_return !failed;
}

void TestSession::finish_response(bool keep_alive) { keep_alive_ = keep_alive; }

}  // namespace grantd::tests
