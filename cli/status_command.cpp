// `grantctl status`: what the daemon tells this user about its definitions; never a token or a secret, for
// the daemon does not send any here.
#include <unistd.h>

#include <memory>
#include <nlohmann/json.hpp>
#include <thread>

#include "cli/context.hpp"
#include "cli/output.hpp"
#include "cli/status_table.hpp"
#include "client-lib/src/local_call.hpp"
#include "common/local_api.hpp"

namespace grantd::cli {
namespace {

// Cursor to the corner, and everything away.
constexpr std::string_view clear_screen = "\x1b[H\x1b[2J";

std::string status_text(detail::Connector& connector, bool as_json) {
  const auto answer = detail::ask_daemon_or_throw(connector, {.target = local_api::clients_path}, {});
  const auto body = answer.body.reveal();
  if (!as_json) return status_table(body);
  const auto document = nlohmann::ordered_json::parse(body, nullptr, false);
  if (document.is_discarded()) throw Error("daemon_unreachable", "the daemon's answer is no JSON");
  // Escaped, so that no character of it acts on a terminal.
  return document.dump(2, ' ', true) + "\n";
}

void watch(detail::Connector& connector, bool as_json) {
  const bool terminal = ::isatty(STDOUT_FILENO) == 1;
  // The first failure ends it: a mistake in the socket's path would otherwise be watched for ever.
  std::string text = status_text(connector, as_json);
  while (true) {
    if (terminal) print(clear_screen);
    print(text);
    std::this_thread::sleep_for(std::chrono::seconds{1});
    try {
      text = status_text(connector, as_json);
    } catch (const Error& error) {
      text.clear();
      print_error(error);
    }
  }
}

}  // namespace

void add_status_command(CLI::App& app, Context& context) {
  struct StatusArguments {
    bool json = false;
    bool watch = false;
  };
  CLI::App& command =
      add_command(app, context, "status", "Show the client definitions and their tokens' state");
  const auto arguments = std::make_shared<StatusArguments>();
  command.add_flag("--json", arguments->json, "Print JSON instead of a table");
  command.add_flag("--watch", arguments->watch, "Draw it again every second until interrupted");
  command.callback([&context, arguments] {
    detail::Connector connector(context.options());
    if (arguments->watch) {
      watch(connector, arguments->json);
    } else {
      print(status_text(connector, arguments->json));
    }
  });
}

}  // namespace grantd::cli
