// From texts to settings: parse each file, merge, read table by table. A file that is no TOML does not hide
// what is wrong in the others.
#include "config/interpret.hpp"

#include <utility>

#include "config/keys.hpp"
#include "config/merge.hpp"
#include "config/problems.hpp"
#include "config/schema.hpp"
#include "config/table_reader.hpp"
#include "config/toml_parser.hpp"

namespace grantd::config {

std::expected<Settings, std::vector<ConfigError>> interpret(const SourceFiles& sources) {
  Problems problems;
  for (const ConfigError& error : sources.errors) problems.add(error);
  std::vector<Node> documents;
  for (const SourceFile& source : sources.files) {
    if (auto document = parse_toml(source, problems)) documents.push_back(*std::move(document));
  }
  const bool complete = problems.empty();

  const Node root = merge(std::move(documents), problems);
  TableReader{root, {}, root_keys, problems}.reject_unknown();
  Settings settings;
  ClientSettings defaults;
  if (const Node* table = root.find("daemon")) settings.daemon = read_daemon(*table, problems);
  if (const Node* table = root.find("defaults")) defaults = read_defaults(*table, problems);
  const Node* clients = root.find("clients");
  if (clients != nullptr) settings.clients = read_clients(*clients, defaults, problems);
  if (const Node* table = root.find("apis")) settings.apis = read_apis(*table, clients, complete, problems);
  if (const Node* table = root.find("cache")) settings.cache = read_cache(*table, problems);

  if (!problems.empty()) return std::unexpected{problems.take()};
  return settings;
}

}  // namespace grantd::config
