// Arguments, the real clock and the real entropy; everything else is the library's, where tests reach it.
#include <signal.h>
#include <sys/stat.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <cstdlib>
#include <memory>

#include "daemon/app/app.hpp"
#include "daemon/app/process_hardening.hpp"
#include "daemon/crypto/wiped_memory.hpp"

namespace {

constexpr int exit_failure = 1;
constexpr int exit_usage = 64;
constexpr int exit_configuration = 78;

constexpr const char* footer =
    "Exit status: 0 ended as asked, 1 not started, 64 wrong usage, 78 configuration error.";

struct Arguments {
  std::string config = grantd::config::default_file;
  bool check = false;
  bool check_text = false;
};

// systemd.exec(5): the variable names device and inode of the journal's stream. A program with an output of
// its own inherits it, too; hence the comparison.
bool stderr_is_journal() {
  const char* stream = ::secure_getenv("JOURNAL_STREAM");
  struct stat own{};
  if (stream == nullptr || ::fstat(STDERR_FILENO, &own) != 0) return false;
  return std::to_string(own.st_dev) + ":" + std::to_string(own.st_ino) == stream;
}

// `prefix` is put before each line.
int print_errors(const std::vector<grantd::config::ConfigError>& errors, const char* prefix = "") {
  for (const auto& error : errors) std::fprintf(stderr, "%s%s\n", prefix, error.text().c_str());
  return exit_configuration;
}

int check(const Arguments& arguments) {
  const auto configuration = grantd::daemon::read_configuration(arguments.config);
  if (!configuration) return print_errors(configuration.error());
  if (!arguments.check_text && !configuration->machine_errors.empty())
    return print_errors(configuration->machine_errors);
  std::printf("%s: no errors, %zu clients, %zu apis\n", arguments.config.c_str(),
              configuration->settings->clients.size(), configuration->settings->apis.size());
  return EXIT_SUCCESS;
}

// A reload that is asked for while the configuration is being read comes afterwards: the App takes the
// signal.
void hold_back_reloads() {
  sigset_t reload;
  ::sigemptyset(&reload);
  ::sigaddset(&reload, SIGHUP);
  ::pthread_sigmask(SIG_BLOCK, &reload, nullptr);
}

int serve(const Arguments& arguments) {
  hold_back_reloads();
  auto configuration = grantd::daemon::read_configuration(arguments.config);
  if (!configuration) return print_errors(configuration.error(), stderr_is_journal() ? "<3>" : "");
  const grantd::common::SystemClock clock;
  grantd::common::SystemEntropy entropy;
  auto log = std::make_unique<grantd::common::StreamLogger>(STDERR_FILENO);
  int status = EXIT_SUCCESS;
  {
    grantd::daemon::App app{{clock, entropy, *log}, arguments.config};
    if (const auto served = app.run(std::move(*configuration)); !served) {
      log->error("not_started", {{"detail", served.error()}});
      status = exit_failure;
    }
    if (!app.threads_ended()) {
      // A thread that hangs in the resolver would use what is about to be destroyed.
      log.reset();
      std::_Exit(status);
    }
  }
  return status;
}

}  // namespace

int main(int argc, char** argv) {
  grantd::daemon::harden_process();
  grantd::daemon::wipe_memory_freed_by_openssl();
  Arguments arguments;
  CLI::App parser{"grantd: gives OAuth 2.0 access tokens to the programs of this machine", "grantd"};
  parser.footer(footer);
  parser.set_help_flag("-h,--help", "Print this help and exit");
  parser.set_version_flag("--version", "grantd " GRANTD_VERSION, "Print the version and exit");
  parser
      .add_option("--config", arguments.config,
                  "The configuration's main file; conf.d/*.toml beside it is read too")
      ->type_name("FILE")
      ->capture_default_str();
  parser.add_flag("--check", arguments.check, "Check the configuration and exit");
  parser.add_flag("--check-text", arguments.check_text,
                  "The same without the files, keys and accounts that it names: what keeps the daemon from "
                  "starting");
  try {
    parser.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return parser.exit(error) == 0 ? EXIT_SUCCESS : exit_usage;
  }
  return arguments.check || arguments.check_text ? check(arguments) : serve(arguments);
}
