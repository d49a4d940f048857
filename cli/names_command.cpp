// `grantctl names`: what the shell completes. It is not in the help, says nothing where there is nothing to
// say, and gives up soon, for somebody waits at a prompt.
#include <memory>
#include <nlohmann/json.hpp>

#include "cli/context.hpp"
#include "cli/output.hpp"
#include "client-lib/src/local_call.hpp"
#include "common/local_api.hpp"

namespace grantd::cli {
namespace {

constexpr std::chrono::milliseconds patience{1000};

void run(const Context& context, const std::string& kind) {
  detail::Connector connector(context.options(patience));
  const auto target = kind == "apis" ? local_api::apis_path : local_api::clients_path;
  const auto answer = detail::ask_daemon_or_throw(connector, {.target = target}, {});
  const auto document = nlohmann::json::parse(answer.body.reveal(), nullptr, false);
  if (!document.is_object()) return;
  const auto definitions = document.find(kind);
  if (definitions == document.end() || !definitions->is_array()) return;
  for (const nlohmann::json& definition : *definitions) {
    if (!definition.is_object()) continue;
    const auto name = definition.find("name");
    if (name != definition.end() && name->is_string()) print(printable(name->get<std::string>()) + "\n");
  }
}

}  // namespace

void add_names_command(CLI::App& app, Context& context) {
  CLI::App& command =
      add_command(app, context, "names", "Print the names of all clients or APIs, for completion");
  command.group("");
  const auto kind = std::make_shared<std::string>();
  command.add_option("KIND", *kind, "clients or apis")
      ->type_name("")
      ->required()
      ->check(CLI::IsMember({"clients", "apis"}));
  command.callback([&context, kind] {
    try {
      run(context, *kind);
    } catch (const Error& error) {
      context.exit_status = exit_status_of(error);
    }
  });
}

}  // namespace grantd::cli
