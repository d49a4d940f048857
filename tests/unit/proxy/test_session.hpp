#pragma once

#include <atomic>
#include <optional>
#include <string>
#include <vector>

#include "daemon/http1/body_decoder.hpp"
#include "daemon/loop/loop.hpp"
#include "daemon/server/handler.hpp"

namespace grantd::tests {

/// A caller's side of the daemon as small as it can be: one request of a connected local socket at a time,
/// given to an ApiHandler under the name "invoices".
class TestSession final : public daemon::Exchange {
 public:
  /// `body_was_asked_for` is set when a handler reads a body.
  TestSession(daemon::Loop& loop, common::UniqueFd socket, daemon::ApiHandler& handler,
              std::atomic<bool>& body_was_asked_for);

  /// Serves until the connection ends or was closed.
  daemon::awaitable<void> serve();
  void close() { socket_.close(); }

  const daemon::http1::RequestHead& request() const override { return head_; }
  const daemon::PeerIdentity& peer() const override { return peer_; }
  std::unique_ptr<daemon::RequestMemo>* memo() override {
    return daemon::http1::may_be_remembered(head_) ? &memo_ : nullptr;
  }
  daemon::awaitable<common::Result<std::span<const char>>> read_body() override;
  bool body_complete() const override { return decoder_->complete(); }
  void stop_reading_body() override { socket_.interrupt_reading(); }
  daemon::awaitable<void> respond(daemon::LocalResponse response) override;
  /// No proxied response passes anything.
  daemon::awaitable<bool> respond_passing(int, daemon::LocalResponse) override {
    return daemon::awaitable<bool>::ready(false);
  }
  std::optional<std::size_t> write_some(std::span<const daemon::asio::const_buffer>) override { return 0; }
  daemon::awaitable<bool> write_rest(std::span<const daemon::asio::const_buffer> pieces,
                                     std::size_t written) override;
  daemon::awaitable<bool> write_from(daemon::Pipe& pipe) override;
  void finish_response(bool keep_alive) override;
  void on_caller_gone(std::move_only_function<void()> action) override { gone_action_ = std::move(action); }

 private:
  daemon::awaitable<bool> read_more();
  daemon::awaitable<bool> read_request();

  daemon::WatchedFd socket_;
  daemon::ApiHandler& handler_;
  std::atomic<bool>& body_was_asked_for_;
  daemon::PeerIdentity peer_{.pid = 1, .uid = 1000, .gid = 1000};
  std::string input_;
  std::size_t used_ = 0;
  std::string head_bytes_;
  std::unique_ptr<daemon::RequestMemo> memo_;
  daemon::http1::RequestHead head_;
  std::optional<daemon::http1::BodyDecoder> decoder_;
  bool keep_alive_ = false;
  std::move_only_function<void()> gone_action_;
};

}  // namespace grantd::tests
