// `grantctl wait-ready`: asks again and again rather than once, for it is run while the daemon is still being
// started, when there may be no socket, one that refuses, or one whose permissions are not set yet.
#include <algorithm>
#include <cstdint>
#include <memory>
#include <optional>
#include <thread>

#include "cli/context.hpp"
#include "cli/output.hpp"
#include "client-lib/src/local_call.hpp"
#include "common/local_api.hpp"

namespace grantd::cli {
namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

constexpr milliseconds interval{100};
constexpr milliseconds longest_question{5000};

// Nothing where the daemon is ready; else why it is not.
std::optional<Error> ask(const Context& context, milliseconds timeout) {
  try {
    detail::Connector connector(context.options(timeout));
    detail::ask_daemon_or_throw(connector, {.target = local_api::readyz_path}, {});
    return std::nullopt;
  } catch (const Error& error) {
    if (error.code() == "invalid_request") throw;
    return error;
  }
}

constexpr double longest_wait = 86400;

int run(const Context& context, double seconds) {
  const auto deadline = Clock::now() + milliseconds{static_cast<std::int64_t>(seconds * 1000)};
  bool reached = false;
  while (true) {
    const auto left = std::chrono::ceil<milliseconds>(deadline - Clock::now());
    const auto failure = ask(context, std::clamp(left, milliseconds{100}, longest_question));
    if (!failure) return done;
    reached = reached || failure->http_status() != 0;
    if (Clock::now() + interval >= deadline) {
      if (reached) {
        print_error("the daemon is not ready: " + std::string{failure->what()});
        return request_failed;
      }
      throw *failure;
    }
    std::this_thread::sleep_for(interval);
  }
}

}  // namespace

void add_wait_ready_command(CLI::App& app, Context& context) {
  CLI::App& command = add_command(app, context, "wait-ready",
                                  "Wait until every client definition with prefetch has had a token");
  const auto seconds = std::make_shared<double>(30);
  command.add_option("--timeout", *seconds, "Give up after this many seconds")
      ->type_name("S")
      ->capture_default_str()
      ->check([](const std::string& text) {
        double given = 0;
        const bool number = CLI::detail::lexical_cast(text, given) && given >= 0 && given <= longest_wait;
        return number ? std::string{} : "expected a number of seconds from 0 to 86400";
      });
  command.callback([&context, seconds] { context.exit_status = run(context, *seconds); });
}

}  // namespace grantd::cli
