#pragma once

#include <expected>
#include <filesystem>
#include <memory>
#include <string>

#include "common/clock.hpp"
#include "common/entropy.hpp"
#include "common/log.hpp"
#include "daemon/app/configuration.hpp"

namespace grantd::daemon {

/// What the world gives to the daemon; all of it outlives the App.
struct AppParts {
  const common::Clock& clock;
  common::Entropy& entropy;
  common::StreamLogger& log;
};

/// The daemon: its parts built and tied together, from the first connection to the last.
class App {
 public:
  /// `file` is read again at a reload.
  App(AppParts parts, std::filesystem::path file);
  ~App();
  App(const App&) = delete;
  App& operator=(const App&) = delete;

  /// Serves until SIGTERM or SIGINT, then lets requests in flight finish. The error is a sentence about what
  /// kept it from starting (a socket that is in use, say). To be called once.
  std::expected<void, std::string> run(Configuration configuration);

  /// Whether no thread is left behind in a call that does not come back, such as a dead name server's.
  bool threads_ended() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace grantd::daemon
