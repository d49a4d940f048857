// `grantctl reload`: waits until the new configuration is in force, and tells what is wrong with it where it
// is not, so that a service manager's reload fails with the reason.
#include <nlohmann/json.hpp>

#include "cli/context.hpp"
#include "cli/output.hpp"
#include "client-lib/src/local_call.hpp"
#include "common/local_api.hpp"
#include "config/load.hpp"

namespace grantd::cli {
namespace {

using nlohmann::json;

std::string text_of(const json& object, const char* member) {
  const auto found = object.find(member);
  return found != object.end() && found->is_string() ? found->get<std::string>() : std::string{};
}

std::size_t number_of(const json& object, const char* member) {
  const auto found = object.find(member);
  return found != object.end() && found->is_number_unsigned() ? found->get<std::size_t>() : 0;
}

void print_errors(std::string_view body) {
  const json document = json::parse(body, nullptr, false);
  if (!document.is_object() || !document.contains("errors") || !document["errors"].is_array()) return;
  for (const json& error : document["errors"]) {
    if (!error.is_object()) continue;
    const config::ConfigError one{.file = text_of(error, "file"),
                                  .line = number_of(error, "line"),
                                  .column = number_of(error, "column"),
                                  .key = text_of(error, "key"),
                                  .message = text_of(error, "message")};
    print_error_line(one.text());
  }
}

void run(Context& context) {
  detail::Connector connector(context.options());
  const auto answer = detail::ask_daemon(connector, {.method = "POST", .target = local_api::reload_path}, {});
  if (answer.head.status >= 200 && answer.head.status <= 299) return;
  if (answer.head.status == 422) print_errors(answer.body.reveal());
  detail::throw_problem(answer.head, answer.body.reveal());
}

}  // namespace

void add_reload_command(CLI::App& app, Context& context) {
  add_command(app, context, "reload", "Make the daemon read its configuration again").callback([&context] {
    run(context);
  });
}

}  // namespace grantd::cli
