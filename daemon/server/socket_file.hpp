#pragma once

#include <sys/types.h>

#include <expected>
#include <filesystem>
#include <string>

#include "common/log.hpp"
#include "common/unique_fd.hpp"
#include "config/settings.hpp"

namespace grantd::daemon {

/// The Unix socket that the daemon creates itself, and its file. While it lives, no other daemon takes the
/// same path (a lock on `<socket>.lock` sees to that, also between two that start at once).
class SocketFile {
 public:
  /// Creates the socket of `settings`, listening, with exactly the configured mode and group; nobody can
  /// connect before they are in place. A file that a dead daemon left is replaced; a live one's, and a file
  /// that is no socket, are errors: a sentence that names the path. An unknown group is logged and left out.
  /// Blocking.
  static std::expected<SocketFile, std::string> create(const config::DaemonSettings& settings,
                                                       common::Logger& log);

  SocketFile(SocketFile&&) = default;
  SocketFile& operator=(SocketFile&&) = delete;
  /// As `remove`.
  ~SocketFile();

  /// The listening socket, to be given to the LocalServer; once.
  common::UniqueFd take_socket() { return std::move(socket_); }
  /// Removes the socket's file if it is still this one's own, and the lock. Idempotent.
  void remove();

 private:
  SocketFile(std::filesystem::path path, std::filesystem::path lock_path, common::UniqueFd lock)
      : path_(std::move(path)), lock_path_(std::move(lock_path)), lock_(std::move(lock)) {}
  std::expected<void, std::string> bind(const config::DaemonSettings& settings, common::Logger& log);

  std::filesystem::path path_;
  std::filesystem::path lock_path_;
  common::UniqueFd lock_;
  common::UniqueFd socket_;
  dev_t device_ = 0;
  ino_t inode_ = 0;
  bool bound_ = false;
};

/// A listening TCP socket on `metrics_listen`. The error is a sentence that names the address. Blocking (name
/// lookup).
std::expected<common::UniqueFd, std::string> listen_on_tcp(const std::string& host, std::uint16_t port);

}  // namespace grantd::daemon
