// Files may lie on a slow disk and account names on a directory server, so they are read on a thread of their
// own.
#include "daemon/app/configuration.hpp"

#include <utility>

#include "daemon/oauth/credential_check.hpp"

namespace grantd::daemon {

ConfigurationResult read_configuration(const std::filesystem::path& file) {
  auto settings = config::load(file);
  if (!settings) return std::unexpected(std::move(settings.error()));
  config::Accounts accounts;
  auto machine_errors = config::check_machine(*settings, credential_judge(), accounts);
  return Configuration{.settings = std::make_shared<const config::Settings>(std::move(*settings)),
                       .machine_errors = std::move(machine_errors),
                       .accounts = std::move(accounts)};
}

void log_warnings(const Configuration& configuration, common::Logger& log) {
  for (const config::ConfigError& error : configuration.machine_errors) {
    log.warning("configuration_warning", {{"detail", error.text()}});
  }
  for (const auto& [name, client] : configuration.settings->clients) {
    if (client->client_secret && std::holds_alternative<config::EnvironmentSource>(*client->client_secret)) {
      log.warning(
          "secret_in_environment",
          {{"client", name},
           {"detail", "client_secret_env is for development: use client_secret_file or _credential"}});
    }
  }
}

ConfigurationReader::ConfigurationReader(Loop& loop, std::filesystem::path file,
                                         std::function<void(Configuration)> apply)
    : loop_(loop), file_(std::move(file)), apply_(std::move(apply)) {}

void ConfigurationReader::reload(Done done) {
  waiting_.push_back(std::move(done));
  if (!reading_) start();
}

void ConfigurationReader::start() {
  reading_ = true;
  auto asked = std::make_shared<std::vector<Done>>(std::exchange(waiting_, {}));
  worker_.run([this, asked] {
    auto result = std::make_shared<ConfigurationResult>(read_configuration(file_));
    loop_.post([this, asked, result] {
      std::expected<void, std::vector<config::ConfigError>> outcome;
      if (*result) {
        apply_(std::move(**result));
      } else {
        outcome = std::unexpected(std::move(result->error()));
      }
      reading_ = false;
      for (Done& done : *asked) done(outcome);
      if (!waiting_.empty() && !reading_) start();
    });
  });
}

}  // namespace grantd::daemon
