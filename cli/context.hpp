#pragma once

#include <CLI/CLI.hpp>
#include <chrono>
#include <filesystem>
#include <string>

#include "client-lib/src/connector.hpp"

namespace grantd::cli {

/// Exit statuses (sysexits.h where it has one).
enum ExitStatus : int {
  done = 0,
  request_failed = 1,
  usage = 64,
  daemon_unreachable = 69,
  not_allowed = 77,
  configuration_error = 78,
};

/// What all commands share. It outlives the parsing of the command line.
struct Context {
  std::filesystem::path socket{};
  /// Of the command that ran.
  int exit_status = done;

  ClientOptions options(std::chrono::milliseconds timeout = std::chrono::seconds{60}) const {
    return {.socket = socket, .timeout = timeout};
  }
};

/// Adds a command with the options that all commands have.
CLI::App& add_command(CLI::App& app, Context& context, const std::string& name,
                      const std::string& description);

// One function per command; each adds its options and what runs when it is the one that was given.
void add_token_command(CLI::App& app, Context& context);
void add_call_command(CLI::App& app, Context& context);
void add_status_command(CLI::App& app, Context& context);
void add_evict_command(CLI::App& app, Context& context);
void add_reload_command(CLI::App& app, Context& context);
void add_wait_ready_command(CLI::App& app, Context& context);
void add_doctor_command(CLI::App& app, Context& context);
void add_check_command(CLI::App& app, Context& context);
/// Left out of the help.
void add_names_command(CLI::App& app, Context& context);

}  // namespace grantd::cli
