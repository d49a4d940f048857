#pragma once

#include <atomic>
#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "common/unique_fd.hpp"

namespace grantd::tests {

/// A blocking socket with a deadline on everything, for the scripts of tests. Used for both ends of the
/// proxy.
class BlockingSocket {
 public:
  explicit BlockingSocket(common::UniqueFd fd);

  /// The head up to and with the empty line; what was read so far where the connection ended before.
  std::string read_head();
  std::string read(std::size_t size);
  std::string read_until(std::string_view end);
  /// A head and the body that its Content-Length announces.
  std::string read_message();
  std::string read_to_end();
  /// What came so far and at least one byte; empty at the end.
  std::string read_some();
  /// False when the peer does not take it.
  bool send(std::string_view bytes);
  /// How many bytes the peer takes until it takes no more for a moment.
  std::size_t send_until_stuck(std::size_t at_most);
  /// Whether the peer closes within the deadline.
  bool sees_close();
  void stop_sending();
  void close() { fd_.reset(); }
  int fd() const { return fd_.get(); }

 private:
  bool fill();
  common::UniqueFd fd_;
  std::string input_;
};

/// A listener on a free loopback port that runs a script for each connection, each on a thread of its own.
class ScriptedApi {
 public:
  /// `index` counts connections from 0.
  using Script = std::function<void(BlockingSocket& connection, int index)>;
  explicit ScriptedApi(Script script);
  ~ScriptedApi();

  std::uint16_t port() const { return port_; }
  int connections() const { return connections_; }

 private:
  void accept_all();

  Script script_;
  common::UniqueFd listener_;
  std::uint16_t port_ = 0;
  std::atomic<int> connections_{0};
  std::thread acceptor_;
  std::vector<std::thread> scripts_;  // the acceptor's, until it was joined
};

}  // namespace grantd::tests
