// `grantctl doctor`: the daemon walks the way to a token, and each step is shown as it is done.
#include <memory>
#include <nlohmann/json.hpp>

#include "cli/context.hpp"
#include "cli/output.hpp"
#include "client-lib/src/local_call.hpp"
#include "client-lib/src/token_call.hpp"
#include "common/local_api.hpp"

namespace grantd::cli {
namespace {

constexpr std::chrono::minutes longest_visit{10};

std::string member(const nlohmann::json& step, const char* name) {
  const auto found = step.find(name);
  return found != step.end() && found->is_string() ? printable(found->get<std::string>()) : std::string{};
}

/// Shows the lines of an answer that comes in pieces.
class Steps {
 public:
  void take(std::string_view piece) {
    text_.append(piece);
    for (auto end = text_.find('\n'); end != std::string::npos; end = text_.find('\n')) {
      show(text_.substr(0, end));
      text_.erase(0, end + 1);
    }
  }
  /// Whether there were steps, and none that failed.
  bool all_well() const { return any_ && !failed_; }

 private:
  void show(const std::string& line) {
    const auto step = nlohmann::json::parse(line, nullptr, false);
    if (!step.is_object()) throw Error("daemon_unreachable", "the daemon's answer is no JSON");
    const bool ok = step.value("ok", nlohmann::json{}) == true;
    any_ = true;
    failed_ |= !ok;
    std::string name = member(step, "step");
    name.resize(std::max(name.size(), column), ' ');
    std::string shown =
        std::string{ok ? "ok    " : "FAILED"} + "  " + name + "  " + member(step, "detail") + "\n";
    if (const auto advice = member(step, "advice"); !advice.empty()) {
      shown.append(column + 10, ' ').append("-> ").append(advice).append("\n");
    }
    print(shown);
  }

  static constexpr std::size_t column = 13;  // the longest name of a step
  std::string text_;
  bool any_ = false;
  bool failed_ = false;
};

}  // namespace

void add_doctor_command(CLI::App& app, Context& context) {
  CLI::App& command =
      add_command(app, context, "doctor", "Walk the way to a token step by step and say what to change");
  const auto client = std::make_shared<std::string>();
  command.add_option("CLIENT", *client, "Name of the client definition")->type_name("")->required();
  command.footer("The exit status is 1 where a step failed. For the users in admin_users.");
  command.callback([&context, client] {
    detail::check_name(*client);
    detail::Connector connector(context.options(longest_visit));
    const std::string target =
        std::string{local_api::clients_path}.append("/").append(*client).append("/doctor");
    Steps steps;
    detail::stream_daemon(connector, {.method = "POST", .target = target},
                          [&steps](std::string_view piece) { steps.take(piece); }, {});
    context.exit_status = steps.all_well() ? done : request_failed;
  });
}

}  // namespace grantd::cli
