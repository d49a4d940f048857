#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <system_error>

#include "client-lib/src/own_descriptor.hpp"

namespace grantd::detail {

/// One connection to the daemon: non-blocking, close-on-exec. Dropping it ends it for both sides.
class Connection {
 public:
  static constexpr std::size_t buffer_size = std::size_t{64} * 1024;

  explicit Connection(OwnDescriptor socket);
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  int fd() const { return socket_.get(); }
  /// Whether `fd` still is this connection, and not what somebody has put in its place.
  bool is_intact() const { return socket_.is_intact(); }
  /// Memory for what is received. Wiped after every call, for there may have been a token in it.
  std::span<char> buffer() { return {buffer_.get(), buffer_size}; }
  /// Whether it may be used for another request: still open, and nothing has come unasked.
  bool is_quiet() const;
  /// Closes this process's descriptor alone: the connection is another process's.
  void abandon() { socket_.reset(); }

  /// Which process opened it; see ForkGeneration.
  std::uint64_t generation = 0;
  std::chrono::steady_clock::time_point idle_since{};

 private:
  OwnDescriptor socket_;
  std::unique_ptr<char[]> buffer_;
};

/// Longest path of a Unix socket.
std::size_t max_socket_path();

/// One attempt to connect; never blocks. The error is the system's.
std::unique_ptr<Connection> connect_once(const std::string& path, std::error_code& error);

}  // namespace grantd::detail
