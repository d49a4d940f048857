// What every table of the schema has in common: types, unknown keys, and the words of the messages.
#include "config/table_reader.hpp"

#include <algorithm>

namespace grantd::config {

std::string type_mismatch(std::string_view expected, const Node& found) {
  return std::string{"expected "}.append(expected).append(", found ").append(describe(found.kind));
}

Parsed<bool> boolean(const Node& node) {
  if (!node.is(Node::Kind::boolean)) return std::unexpected{type_mismatch("true or false", node)};
  return node.boolean;
}

void TableReader::fail(std::string_view key, std::string message) const {
  const Node* node = find(key);
  problems_.add(node == nullptr ? table_.position : node->position, path_of(key), std::move(message));
}

void TableReader::reject_unknown() const {
  const bool has_a_name = path_.find('.') != std::string::npos;  // clients.NAME, apis.NAME
  for (const Node& child : table_.children) {
    if (std::ranges::find(known_, child.key) != known_.end()) continue;
    std::string message = child.is(Node::Kind::table) ? "unknown table" : "unknown key";
    const std::string suggestion = did_you_mean(child.key, known_);
    if (!suggestion.empty()) {
      message.append(suggestion);
    } else if (has_a_name && child.is(Node::Kind::table)) {
      message.append("; a name that holds a dot stands in quotes, as in [clients.\"catalog.client\"]");
    }
    problems_.add(child.key_position, path_of(child.key), std::move(message));
  }
}

bool TableReader::holds_only_unknown_tables() const {
  return !table_.children.empty() && std::ranges::all_of(table_.children, [this](const Node& child) {
    return child.is(Node::Kind::table) && std::ranges::find(known_, child.key) == known_.end();
  });
}

}  // namespace grantd::config
