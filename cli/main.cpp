// Reads the command line and turns every way a command can end into an exit status; the commands do the rest.
#include <fcntl.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <exception>
#include <system_error>

#include "cli/context.hpp"
#include "cli/output.hpp"

namespace grantd::cli {
namespace {

constexpr const char* footer =
    "Exit status: 0 done, 1 the request failed, 64 wrong usage, 69 daemon unreachable, 77 not allowed, "
    "78 configuration error.\n"
    "Environment: GRANTD_SOCKET, the daemon's socket where --socket is not given.";

void add_socket_option(CLI::App& app, Context& context) {
  app.add_option("--socket", context.socket,
                 "The daemon's socket [$GRANTD_SOCKET, else /run/grantd/grantd.sock]")
      ->type_name("PATH");
}

int run(int argc, char** argv) {
  CLI::App app{"grantctl: tokens, calls and status of the local OAuth 2.0 token daemon grantd", "grantctl"};
  Context context;
  app.set_version_flag("--version", "grantctl " GRANTD_VERSION, "Print the version and exit");
  app.set_help_flag("-h,--help", "Print this help and exit");
  app.footer(footer);
  app.require_subcommand(1);
  add_socket_option(app, context);
  add_token_command(app, context);
  add_call_command(app, context);
  add_status_command(app, context);
  add_evict_command(app, context);
  add_reload_command(app, context);
  add_wait_ready_command(app, context);
  add_check_command(app, context);
  add_doctor_command(app, context);
  add_names_command(app, context);
  try {
    app.parse(argc, argv);
  } catch (const CLI::Success& asked_for_help) {
    return app.exit(asked_for_help);
  } catch (const CLI::ParseError& error) {
    print_error(error.what());
    print_error_line("Run \"grantctl --help\" or \"grantctl COMMAND --help\" for what there is.");
    return usage;
  }
  return context.exit_status;
}

}  // namespace

CLI::App& add_command(CLI::App& app, Context& context, const std::string& name,
                      const std::string& description) {
  CLI::App& command = *app.add_subcommand(name, description);
  add_socket_option(command, context);
  return command;
}

}  // namespace grantd::cli

int main(int argc, char** argv) {
  using namespace grantd::cli;
  // A descriptor that is closed would be the daemon's socket next, and the token be written into that.
  for (const int standard : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
    if (::fcntl(standard, F_GETFD) < 0 && ::open("/dev/null", O_RDONLY) < 0) return request_failed;
  }
  try {
    return run(argc, argv);
  } catch (const grantd::Error& error) {
    print_error(error);
    return exit_status_of(error);
  } catch (const OutputError& error) {
    print_error("standard output cannot be written: " + std::generic_category().message(error.system_error));
    return request_failed;
  } catch (const std::exception& error) {
    print_error(error.what());
    return request_failed;
  }
}
