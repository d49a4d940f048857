// TOML refuses a table that is defined twice in a file; across files the same holds, so that no fragment
// quietly changes what another one says.
#include "config/merge.hpp"

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "config/source_file.hpp"

namespace grantd::config {

namespace {

std::string where(const Position& position) {
  return position.source->path.string() + ":" + std::to_string(position.line) + ":" +
         std::to_string(position.column);
}

bool is_spread_over_files(const Node& node) {
  return (node.key == "clients" || node.key == "apis") && node.is(Node::Kind::table);
}

/// One table out of the tables that have this path, one or more, in the order of their files. All are taken
/// at once, so that thousands of definitions in hundreds of files cost no more each.
Node merge_tables(std::vector<Node> tables, const std::string& path, Problems& problems) {
  std::map<std::string, std::vector<Node>> found;
  for (Node& table : tables) {
    for (Node& child : table.children) found[child.key].push_back(std::move(child));
  }
  Node merged = std::move(tables.front());
  merged.children.clear();
  merged.children.reserve(found.size());
  for (auto& [key, values] : found) {
    const std::string child_path = join_key(path, key);
    const bool spread = path.empty() && is_spread_over_files(values.front());
    std::vector<Node> taken;
    for (Node& value : values) {
      if (taken.empty() || (spread && value.is(Node::Kind::table))) {
        taken.push_back(std::move(value));
      } else {
        problems.add(value.key_position, child_path,
                     "defined twice; the first is at " + where(taken.front().key_position));
      }
    }
    merged.children.push_back(taken.size() == 1 ? std::move(taken.front())
                                                : merge_tables(std::move(taken), child_path, problems));
  }
  return merged;
}

}  // namespace

Node merge(std::vector<Node> documents, Problems& problems) {
  if (documents.empty()) return {};
  return merge_tables(std::move(documents), {}, problems);
}

}  // namespace grantd::config
