#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "common/secret.hpp"

namespace grantd::config {

struct SourceFile;

/// A place in a configuration file; line and column from 1, 0 where the file as a whole is meant.
struct Position {
  const SourceFile* source = nullptr;  // outlives the tree
  std::size_t line = 0;
  std::size_t column = 0;
};

/// A TOML value with its place. Every string counts as a secret until a rule has looked at it, so that none
/// gets into a message by accident.
struct Node {
  enum class Kind { table, array, string, integer, floating_point, boolean, date_or_time };

  Kind kind = Kind::table;
  std::string key{};  // under which its table holds it; empty in arrays and at the root
  Position key_position{};
  Position position{};
  common::Secret text{};
  std::int64_t integer = 0;
  bool boolean = false;
  std::vector<Node> children{};  // of a table: sorted by key; of an array: in order

  /// The value below `name` of a table, null where there is none.
  const Node* find(std::string_view name) const;
  bool is(Kind other) const { return kind == other; }
};

/// "a string", "an integer", ...
std::string_view describe(Node::Kind kind);

/// `path` and one more key, quoted as TOML would need it. Characters that could confuse a terminal are
/// escaped and a very long key is cut.
std::string join_key(std::string_view path, std::string_view key);

}  // namespace grantd::config
