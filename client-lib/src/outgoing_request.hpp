#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>

#include "common/secret.hpp"
#include "grantd/http.hpp"

namespace grantd::detail {

/// A request as it goes to the daemon.
struct OutgoingRequest {
  common::Secret head{};
  std::string_view body{};             // in memory
  const BodySource* source = nullptr;  // or streamed; head and size agree about the framing
  bool is_head = false;
  /// Whether it does no harm if the daemon has processed it and gets it again (RFC 9110 section 9.2.2).
  bool repeatable = false;
  bool streamed = false;  // the timeout is that of silence
};

/// Sends one request piece by piece, as far as the socket takes it. A streamed body is read in pieces of 64
/// KiB, each when the last one has gone.
class RequestSender {
 public:
  explicit RequestSender(const OutgoingRequest& request);

  /// Sends at most one piece, as much of it as the socket takes without waiting; once at a time, so that its
  /// caller comes round to everything else that may happen. False when the daemon takes no more: the
  /// connection is going down, but its answer may still be there to be read. Throws what the source throws.
  bool send_some(int fd);
  bool done() const { return stage_ == Stage::done; }
  /// Whether the daemon may have any of it.
  bool began() const { return began_; }
  /// Whether something was taken out of the source: then it cannot be sent from the start again.
  bool source_used() const { return source_used_; }

 private:
  enum class Stage { in_memory, source, done };

  void refill();

  const OutgoingRequest& request_;
  Stage stage_ = Stage::in_memory;
  std::size_t position_ = 0;  // in head and body together
  bool began_ = false;
  std::unique_ptr<char[]> piece_;  // of the source, with its framing
  std::string_view unsent_;        // of the piece
  std::uint64_t from_source_ = 0;
  bool source_used_ = false;
  bool source_ended_ = false;
};

}  // namespace grantd::detail
