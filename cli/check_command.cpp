// `grantctl check`: what `grantd --check` does, without the daemon's executable.
#include <memory>

#include "cli/context.hpp"
#include "cli/output.hpp"
#include "config/load.hpp"
#include "daemon/oauth/credential_check.hpp"

namespace grantd::cli {
namespace {

int run(const std::filesystem::path& file) {
  const auto settings = config::load(file);
  config::Accounts accounts;
  const auto errors =
      settings ? config::check_machine(*settings, daemon::credential_judge(), accounts) : settings.error();
  for (const config::ConfigError& error : errors) print_error_line(error.text());
  return errors.empty() ? done : configuration_error;
}

}  // namespace

void add_check_command(CLI::App& app, Context& context) {
  CLI::App& command = add_command(app, context, "check", "Check a configuration, as grantd --check does");
  const auto file = std::make_shared<std::filesystem::path>(config::default_file);
  command.add_option("FILE", *file, "The configuration's main file; conf.d/*.toml beside it is read too")
      ->type_name("")
      ->capture_default_str();
  command.callback([&context, file] { context.exit_status = run(*file); });
}

}  // namespace grantd::cli
