// TOML refuses a table that is defined twice in a file; across files the same holds, so that no fragment
// quietly changes what another one says.
#include "config/merge.hpp"

#include <algorithm>
#include <iterator>
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

/// One table out of the tables that have this path, one or more, in the order of their files. All their
/// children are sorted at once, so that thousands of definitions in hundreds of files cost no more each.
Node merge_tables(std::vector<Node> tables, const std::string& path, Problems& problems) {
  std::vector<Node> all;
  for (Node& table : tables) std::ranges::move(table.children, std::back_inserter(all));
  std::ranges::stable_sort(all, {}, &Node::key);
  Node merged = std::move(tables.front());
  merged.children.clear();
  for (auto begin = all.begin(); begin != all.end();) {
    const auto end = std::find_if(begin, all.end(), [&](const Node& node) { return node.key != begin->key; });
    const std::string child_path = join_key(path, begin->key);
    const Position first = begin->key_position;
    const bool spread = path.empty() && is_spread_over_files(*begin);
    std::vector<Node> taken;
    for (auto node = begin; node != end; ++node) {
      if (taken.empty() || (spread && node->is(Node::Kind::table))) {
        taken.push_back(std::move(*node));
      } else {
        problems.add(node->key_position, child_path, "defined twice; the first is at " + where(first));
      }
    }
    merged.children.push_back(taken.size() == 1 ? std::move(taken.front())
                                                : merge_tables(std::move(taken), child_path, problems));
    begin = end;
  }
  return merged;
}

}  // namespace

Node merge(std::vector<Node> documents, Problems& problems) {
  if (documents.empty()) return {};
  return merge_tables(std::move(documents), {}, problems);
}

}  // namespace grantd::config
