#pragma once

#include <concepts>
#include <cstdint>
#include <expected>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "config/nearest.hpp"
#include "config/node.hpp"
#include "config/problems.hpp"

namespace grantd::config {

/// A value, or what was expected in its place: a message for people that never quotes what was found.
template <class T>
using Parsed = std::expected<T, std::string>;

/// How a value of the tree becomes a value of the settings.
template <class Parser>
using ParsedBy = typename std::invoke_result_t<Parser, const Node&>::value_type;

/// `expected a string, found an integer`
std::string type_mismatch(std::string_view expected, const Node& found);

Parsed<bool> boolean(const Node& node);

inline auto integer(std::int64_t least, std::int64_t most) {
  return [least, most](const Node& node) -> Parsed<std::int64_t> {
    if (!node.is(Node::Kind::integer)) return std::unexpected{type_mismatch("an integer", node)};
    if (node.integer >= least && node.integer <= most) return node.integer;
    return std::unexpected{"expected an integer from " + std::to_string(least) + " to " +
                           std::to_string(most)};
  };
}

/// A string that `parse` understands: a function of std::string_view to Parsed<T>.
template <class Parse>
auto text(Parse parse) {
  return [parse](const Node& node) -> std::invoke_result_t<Parse, std::string_view> {
    if (!node.is(Node::Kind::string)) return std::unexpected{type_mismatch("a string", node)};
    return parse(node.text.reveal());
  };
}

/// Reads one table of the schema. Whatever is wrong becomes a problem with place and dotted key, and the
/// value counts as absent. References must outlive the reader.
class TableReader {
 public:
  /// `known` are all keys the schema has here.
  TableReader(const Node& table, std::string path, std::span<const std::string_view> known,
              Problems& problems)
      : table_(table), path_(std::move(path)), known_(known), problems_(problems) {}

  const Node* find(std::string_view key) const { return table_.find(key); }
  bool has(std::string_view key) const { return find(key) != nullptr; }
  std::string path_of(std::string_view key) const { return join_key(path_, key); }
  Problems& problems() const { return problems_; }

  /// A problem with the value of `key`, or with the table as a whole where it has no such key.
  void fail(std::string_view key, std::string message) const;

  /// Problems for every key that the schema does not have, with the nearest that it has.
  void reject_unknown() const;
  /// Whether nothing is in the table but tables that the schema does not have: somebody forgot to quote a
  /// name.
  bool holds_only_unknown_tables() const;

  template <class Parser>
  std::optional<ParsedBy<Parser>> value(std::string_view key, Parser parser) const {
    const Node* node = find(key);
    return node == nullptr ? std::nullopt : parse(*node, key, parser);
  }

  /// Overwrites `target` where the key is there and right.
  template <class T, class Parser>
  void into(T& target, std::string_view key, Parser parser) const {
    if (auto found = value(key, parser)) {
      if constexpr (std::integral<T> && !std::same_as<T, bool>) {
        target = static_cast<T>(*found);
      } else {
        target = *std::move(found);
      }
    }
  }

  /// Every right item of an array; an absent key is nothing, an empty array an empty list.
  template <class Parser>
  std::optional<std::vector<ParsedBy<Parser>>> list(std::string_view key, Parser parser) const {
    const Node* node = find(key);
    if (node == nullptr) return std::nullopt;
    if (!node->is(Node::Kind::array)) {
      fail(key, type_mismatch("an array", *node));
      return std::nullopt;
    }
    std::vector<ParsedBy<Parser>> items;
    for (const Node& item : node->children) {
      if (auto parsed = parse(item, key, parser)) items.push_back(*std::move(parsed));
    }
    return items;
  }

 private:
  template <class Parser>
  std::optional<ParsedBy<Parser>> parse(const Node& node, std::string_view key, Parser parser) const {
    auto parsed = parser(node);
    if (parsed) return *std::move(parsed);
    problems_.add(node.position, path_of(key), std::move(parsed.error()));
    return std::nullopt;
  }

  const Node& table_;
  std::string path_;
  std::span<const std::string_view> known_;
  Problems& problems_;
};

}  // namespace grantd::config
