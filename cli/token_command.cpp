// `grantctl token`: the token goes to standard output and nowhere else, so that `$(grantctl token x)` is all
// a script needs.
#include <cstdint>
#include <memory>

#include "cli/context.hpp"
#include "cli/output.hpp"
#include "client-lib/src/token_call.hpp"

namespace grantd::cli {
namespace {

struct TokenArguments {
  std::string client;
  TokenRequest request;
  std::int64_t min_valid = 0;
  bool header = false;
  bool json = false;
};

void run(const Context& context, const TokenArguments& arguments) {
  detail::Connector connector(context.options());
  const auto answer = detail::ask_for_token(connector, arguments.client, arguments.request, {});
  if (arguments.json) {
    print(answer.json.reveal());
  } else if (arguments.header) {
    print("Authorization: ");
    print(answer.token.authorization());
  } else {
    print(answer.token.value());
  }
  print("\n");
}

}  // namespace

void add_token_command(CLI::App& app, Context& context) {
  CLI::App& command = add_command(app, context, "token", "Print an access token");
  const auto arguments = std::make_shared<TokenArguments>();
  command.add_option("CLIENT", arguments->client, "Name of the client definition")->type_name("")->required();
  command.add_option("--scope", arguments->request.scope, "Scopes, separated by spaces")->type_name("S");
  command
      .add_option("--resource", arguments->request.resource, "Resource indicator (RFC 8707); may be repeated")
      ->type_name("R")
      ->allow_extra_args(false);
  command.add_option("--audience", arguments->request.audience, "Audience, for servers that want one")
      ->type_name("A");
  const auto* min_valid =
      command
          .add_option("--min-valid", arguments->min_valid,
                      "Least validity in seconds; a token with less left is renewed first")
          ->type_name("SECONDS")
          ->check(CLI::Range(std::int64_t{0}, std::int64_t{31'536'000}).description(""));
  command.add_flag("--force-renewal", arguments->request.force_renewal,
                   "Ask the authorization server even where a valid token is cached");
  auto* header = command.add_flag("--header", arguments->header, "Print the whole Authorization header");
  command.add_flag("--json", arguments->json, "Print the daemon's whole answer, as JSON")->excludes(header);
  command.callback([&context, arguments, min_valid] {
    if (min_valid->count() > 0) arguments->request.min_valid = std::chrono::seconds{arguments->min_valid};
    run(context, *arguments);
  });
}

}  // namespace grantd::cli
