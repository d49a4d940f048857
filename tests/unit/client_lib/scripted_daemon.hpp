#pragma once

#include <atomic>
#include <filesystem>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "common/unique_fd.hpp"
#include "grantd/error.hpp"

namespace grantd::tests {

/// A directory of its own that goes away with its contents.
class TemporaryDirectory {
 public:
  TemporaryDirectory();
  ~TemporaryDirectory();
  TemporaryDirectory(const TemporaryDirectory&) = delete;
  TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;
  std::filesystem::path operator/(std::string_view name) const { return path_ / name; }

 private:
  std::filesystem::path path_;
};

struct ReceivedRequest {
  std::string head;  // as it came
  std::string body;  // its framing removed
  std::string method() const { return head.substr(0, head.find(' ')); }
  std::string target() const;
  /// Whether the head has this line, "Name: value".
  bool has(std::string_view line) const;
};

/// The daemon's end of one connection, for a script to play with.
class Peer {
 public:
  explicit Peer(int fd) : fd_(fd) {}
  /// The next request, whole; nothing when the client has gone.
  std::optional<ReceivedRequest> read();
  /// The next head alone; the body is left to be read.
  std::optional<ReceivedRequest> read_head();
  /// What comes next, up to `most` bytes; empty when the client has gone.
  std::string read_some(std::size_t most = 65536);
  /// False when the client has gone.
  bool send(std::string_view bytes);
  /// Returns when the client closes.
  void wait_until_closed();

 private:
  bool fill();

  int fd_;
  std::string unread_;
};

/// Listens on a Unix socket and plays one script on every connection, each in a thread. Ending it cuts all of
/// them.
class ScriptedDaemon {
 public:
  using Script = std::function<void(Peer&)>;
  ScriptedDaemon(const std::filesystem::path& socket, Script script);
  ~ScriptedDaemon();
  ScriptedDaemon(const ScriptedDaemon&) = delete;
  ScriptedDaemon& operator=(const ScriptedDaemon&) = delete;

  int connections() const { return connections_; }

 private:
  void accept_all();

  std::filesystem::path path_;
  Script script_;
  common::UniqueFd listener_;
  std::atomic<int> connections_ = 0;
  std::mutex mutex_;
  bool stopping_ = false;
  std::vector<common::UniqueFd> sockets_;
  std::vector<std::thread> players_;
  std::thread acceptor_;
};

/// A script that answers every request of a connection until the client goes.
ScriptedDaemon::Script answering(std::function<std::string(const ReceivedRequest&)> answer);

/// One response with Content-Length; `headers` are complete lines.
std::string http_answer(int status, std::string_view body, std::string_view headers = {});
/// The token route's answer.
std::string token_answer(std::string_view value = "secret-token", std::string_view version = "v1");
/// A problem document as the daemon makes them.
std::string problem_answer(int status, std::string_view code, std::string_view more_members = {},
                           std::string_view headers = {});

/// What the call failed with.
std::optional<Error> error_of(const auto& call) {
  try {
    call();
  } catch (const Error& error) {
    return error;
  }
  return std::nullopt;
}

std::string code_of(const auto& call) {
  const auto error = error_of(call);
  return error ? std::string{error->code()} : "no error";
}

}  // namespace grantd::tests
