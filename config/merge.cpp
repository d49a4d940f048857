// TOML refuses a table that is defined twice in a file; across files the same holds, so that no fragment
// quietly changes what another one says.
#include "config/merge.hpp"

#include <algorithm>
#include <string>
#include <utility>

#include "config/source_file.hpp"

namespace grantd::config {

namespace {

std::string where(const Position& position) {
  return position.source->path.string() + ":" + std::to_string(position.line) + ":" +
         std::to_string(position.column);
}

bool is_spread_over_files(const Node& a, const Node& b) {
  return (a.key == "clients" || a.key == "apis") && a.is(Node::Kind::table) && b.is(Node::Kind::table);
}

void merge_table(Node& into, Node&& from, const std::string& path, Problems& problems) {
  for (Node& child : from.children) {
    const auto place = std::ranges::lower_bound(into.children, child.key, {}, &Node::key);
    const std::string child_path = join_key(path, child.key);
    if (place == into.children.end() || place->key != child.key) {
      into.children.insert(place, std::move(child));
    } else if (path.empty() && is_spread_over_files(*place, child)) {
      merge_table(*place, std::move(child), child_path, problems);
    } else {
      problems.add(child.key_position, child_path,
                   "defined twice; the first is at " + where(place->key_position));
    }
  }
}

}  // namespace

Node merge(std::vector<Node> documents, Problems& problems) {
  Node merged;
  for (Node& document : documents) merge_table(merged, std::move(document), {}, problems);
  return merged;
}

}  // namespace grantd::config
