#pragma once

#include <filesystem>
#include <functional>
#include <string>

#include "daemon/metrics/metrics.hpp"
#include "daemon/server/local_server.hpp"
#include "daemon/server/socket_file.hpp"
#include "tests/fakes/log_recorder.hpp"
#include "tests/fakes/manual_clock.hpp"

namespace grantd::tests {

using namespace daemon;

/// A new directory that is removed with everything in it.
class TemporaryDirectory {
 public:
  TemporaryDirectory();
  ~TemporaryDirectory();
  TemporaryDirectory(const TemporaryDirectory&) = delete;
  TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

class FunctionHandler final : public Handler {
 public:
  std::function<awaitable<void>(Exchange&)> answer = [](Exchange& exchange) {
    return exchange.respond({.body = "hello"});
  };
  awaitable<void> handle(Exchange& exchange) override { return answer(exchange); }
};

/// A response as a caller sees it.
struct Answer {
  int status = 0;
  std::string head;
  std::string body;
  bool has(std::string_view line) const { return head.find(line) != std::string::npos; }
};

/// A server on a real Unix socket and a real loop, on a clock that only the test moves.
struct ServerFixture {
  explicit ServerFixture(Handler* root = nullptr);
  ~ServerFixture();

  /// Runs the loop until `condition` holds; false where it does not within ten seconds.
  bool until(const std::function<bool()>& condition);
  /// Runs what is ready.
  void settle();
  /// Moves the clock, and lets everything due happen.
  void advance(std::chrono::milliseconds step);
  std::filesystem::path socket_path() const { return directory.path() / "grantd.sock"; }

  ManualClock clock;
  TemporaryDirectory directory;
  LogRecorder log;
  Metrics metrics{clock.wall_now()};
  bool caller_is_admin = false;
  config::DaemonSettings settings;
  Loop loop{clock};
  FunctionHandler handler;
  LocalServer server;
  std::unique_ptr<SocketFile> socket_file;
};

/// The caller's side of a connection.
class Caller {
 public:
  explicit Caller(ServerFixture& fixture);

  void send(std::string_view bytes);
  void shut_down_sending();
  void close() { socket_.reset(); }
  /// The next whole response; status 0 where none came.
  Answer receive(bool to_head = false);
  Answer ask(std::string_view bytes) {
    send(bytes);
    return receive();
  }
  /// Whether the server closes the connection, with nothing more said.
  bool is_closed();
  /// Takes what is there without waiting; false at the end of the connection.
  bool read_some();
  std::string received;

 private:
  ServerFixture& fixture_;
  common::UniqueFd socket_;
  bool ended_ = false;
};

std::string get(std::string_view target, std::string_view more_lines = {});
std::string post(std::string_view target, std::string_view body);

}  // namespace grantd::tests
