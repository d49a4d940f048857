#pragma once

#include <expected>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "common/clock.hpp"
#include "common/unique_fd.hpp"
#include "daemon/crypto/tls_context.hpp"

namespace grantd::daemon {

/// A connected socket, plain or with TLS, whose operations block but all end by a deadline, however slowly
/// the other side sends. For a worker's thread.
class TimedSocket {
 public:
  /// `socket` is non-blocking. `clock` outlives this object.
  TimedSocket(common::UniqueFd socket, const common::Clock& clock, common::BootTime deadline)
      : socket_(std::move(socket)), clock_(clock), deadline_(deadline) {}

  /// For what is done from now on.
  void set_deadline(common::BootTime deadline) {
    deadline_ = deadline;
    timed_out_ = false;
  }
  /// Starts TLS. Error: a sentence about what is wrong with the server or its certificate.
  std::expected<void, std::string> secure(TlsContext& context);
  /// How many bytes came; 0 at the end of the connection; nothing where it failed or the deadline passed.
  std::optional<std::size_t> read(std::span<char> into);
  /// Whether all bytes were sent.
  bool write(std::string_view bytes);

  bool timed_out() const { return timed_out_; }
  int descriptor() const { return socket_.get(); }

 private:
  bool wait(short events);
  bool wait_for(const TlsStream::Progress& progress);

  common::UniqueFd socket_;
  const common::Clock& clock_;
  common::BootTime deadline_;
  std::unique_ptr<TlsStream> tls_;
  bool timed_out_ = false;
};

}  // namespace grantd::daemon
