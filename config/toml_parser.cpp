// The only file that knows toml++. Its descriptions quote the text, which may be a secret, so that they are
// only looked at for the kind of mistake; and its strings are wiped once they have been taken over.
#include "config/toml_parser.hpp"

#include <string.h>

#include <toml++/toml.h>
#include <algorithm>
#include <array>
#include <utility>

#include "common/ascii.hpp"
#include "config/nesting.hpp"

namespace grantd::config {

namespace {

Position place(const SourceFile& source, const toml::source_region& region) {
  return {.source = &source, .line = region.begin.line, .column = region.begin.column};
}

void wipe(std::string& text) { ::explicit_bzero(text.data(), text.size()); }

Node translate(toml::node& value, const SourceFile& source);

void translate_table(toml::table& table, const SourceFile& source, Node& node) {
  for (auto&& [key, value] : table) {
    Node child = translate(value, source);
    child.key = std::string{key.str()};
    child.key_position = place(source, key.source());
    // A table of its own is found by the name in its header, not by the bracket before it.
    if (child.is(Node::Kind::table) && !value.as_table()->is_inline()) child.position = child.key_position;
    node.children.push_back(std::move(child));
  }
  std::ranges::sort(node.children, {}, &Node::key);
}

Node translate(toml::node& value, const SourceFile& source) {
  Node node;
  node.position = place(source, value.source());
  if (auto* table = value.as_table()) {
    translate_table(*table, source, node);
  } else if (auto* array = value.as_array()) {
    node.kind = Node::Kind::array;
    for (toml::node& item : *array) node.children.push_back(translate(item, source));
  } else if (auto* text = value.as_string()) {
    node.kind = Node::Kind::string;
    node.text = common::Secret{text->get()};
    wipe(text->get());
  } else if (const auto* integer = value.as_integer()) {
    node.kind = Node::Kind::integer;
    node.integer = integer->get();
  } else if (const auto* boolean = value.as_boolean()) {
    node.kind = Node::Kind::boolean;
    node.boolean = boolean->get();
  } else {
    node.kind = value.is_floating_point() ? Node::Kind::floating_point : Node::Kind::date_or_time;
  }
  return node;
}

std::string kind_of_mistake(std::string_view description) {
  struct Mistake {
    std::string_view phrase;
    const char* message;
  };
  constexpr std::array mistakes{
      Mistake{"cannot redefine", "defined twice in this file"},
      Mistake{"invalid utf-8", "expected UTF-8; the file holds other bytes"},
      Mistake{"could not determine value type", "expected a value here; text stands in quotes"},
      Mistake{"expected value", "expected a value here; text stands in quotes"},
      Mistake{"not representable", "expected a number of at most 64 bits"},
      Mistake{"while parsing table header", "expected a table header such as [clients.\"name\"]"},
      Mistake{"while parsing string",
              "expected a string that is closed on the same line, with valid escapes"},
  };
  const auto* found = std::ranges::find_if(mistakes, [&](const Mistake& mistake) {
    return description.find(mistake.phrase) != std::string_view::npos;
  });
  return found == mistakes.end() ? "expected valid TOML here" : found->message;
}

bool is_plain_key(char c) {
  return ascii::is_alphanumeric(c) || c == '_' || c == '-' || c == '.' || c == '"';
}

std::string_view line_at(std::string_view text, std::size_t line) {
  for (; line > 1; --line) text.remove_prefix(std::min(text.find('\n') + 1, text.size()));
  return text.substr(0, text.find('\n'));
}

/// The key or table header that is defined again where the library says so: at the header's bracket, or at
/// the value after the key. Empty where it is not plainly there; never anything but a key.
std::string redefined_key(std::string_view text, const toml::source_position& position) {
  const std::string_view line = line_at(text, position.line);
  if (position.column == 0 || position.column > line.size()) return {};
  if (const std::string_view header = line.substr(position.column - 1); header.starts_with('[')) {
    const auto key = header.substr(1, header.find(']') - 1);
    return std::ranges::all_of(key, is_plain_key) ? std::string{key} : std::string{};
  }
  const auto without_blanks = [](std::string_view part) {
    return part.substr(0, part.find_last_not_of(" \t") + 1);
  };
  std::string_view before = without_blanks(line.substr(0, position.column - 1));
  if (!before.ends_with('=')) return {};
  before.remove_suffix(1);
  before = without_blanks(before);
  std::size_t begin = before.size();
  while (begin > 0 && is_plain_key(before[begin - 1])) --begin;
  return std::string{before.substr(begin)};
}

}  // namespace

std::optional<Node> parse_toml(const SourceFile& source, Problems& problems) {
  if (const auto deep = find_deep_nesting(source.text.reveal())) {
    problems.add({.source = &source, .line = deep->line, .column = deep->column}, {},
                 "tables, arrays or dotted keys nest too deeply here");
    return std::nullopt;
  }
  try {
    toml::table root = toml::parse(source.text.reveal());
    Node tree;
    tree.position = {.source = &source, .line = 1, .column = 1};
    translate_table(root, source, tree);
    return tree;
  } catch (const toml::parse_error& error) {
    const bool twice = error.description().find("cannot redefine") != std::string_view::npos;
    std::string key = twice ? redefined_key(source.text.reveal(), error.source().begin) : std::string{};
    problems.add(place(source, error.source()), std::move(key), kind_of_mistake(error.description()));
    return std::nullopt;
  }
}

}  // namespace grantd::config
