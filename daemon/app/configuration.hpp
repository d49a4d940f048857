#pragma once

#include <expected>
#include <filesystem>
#include <functional>
#include <memory>
#include <vector>

#include "config/load.hpp"
#include "daemon/loop/loop.hpp"
#include "daemon/loop/workers.hpp"

namespace grantd::daemon {

/// A configuration as read from its files, with what is wrong on this machine but keeps nobody from starting.
struct Configuration {
  std::shared_ptr<const config::Settings> settings;
  std::vector<config::ConfigError> machine_errors;
  config::Accounts accounts;  // that it names
};
using ConfigurationResult = std::expected<Configuration, std::vector<config::ConfigError>>;

/// Reads and validates `file` and what stands beside it. Blocking; callable from any thread.
ConfigurationResult read_configuration(const std::filesystem::path& file);

/// Logs what `read_configuration` found wrong with the machine, and what is right but unwise.
void log_warnings(const Configuration& configuration, common::Logger& log);

/// Reads the configuration again on request, off the loop and one reading at a time: whoever asks while one
/// is under way gets the result of the next, so that nobody is told about a file older than his request. Loop
/// thread only.
class ConfigurationReader {
 public:
  /// `apply` is called with every configuration that holds, before those who asked are answered.
  ConfigurationReader(Loop& loop, std::filesystem::path file, std::function<void(Configuration)> apply);

  using Done = std::move_only_function<void(std::expected<void, std::vector<config::ConfigError>>)>;
  void reload(Done done);

 private:
  void start();

  Loop& loop_;
  const std::filesystem::path file_;
  const std::function<void(Configuration)> apply_;
  std::vector<Done> waiting_;  // for the reading after the present one
  bool reading_ = false;
  Workers worker_{1, 0};
};

}  // namespace grantd::daemon
