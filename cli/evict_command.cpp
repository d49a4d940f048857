// `grantctl evict`: every cached token of a definition, not a single variant, for that is what an operator
// means.
#include <memory>

#include "cli/context.hpp"
#include "grantd/client.hpp"

namespace grantd::cli {

void add_evict_command(CLI::App& app, Context& context) {
  CLI::App& command = add_command(app, context, "evict", "Drop the cached tokens of a client definition");
  const auto client = std::make_shared<std::string>();
  command.add_option("CLIENT", *client, "Name of the client definition")->type_name("")->required();
  command.callback([&context, client] { Client{context.options()}.evict(*client); });
}

}  // namespace grantd::cli
