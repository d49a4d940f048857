// Keys come from a file that somebody edits in a hurry, and their names end up on terminals and in logs.
#include "config/node.hpp"

#include <algorithm>

#include "common/ascii.hpp"

namespace grantd::config {

namespace {

constexpr std::size_t longest_shown_key = 128;

bool is_bare(char c) { return ascii::is_alphanumeric(c) || c == '_' || c == '-'; }

void append_escaped(std::string& out, char c) {
  constexpr std::string_view digits = "0123456789abcdef";
  if (c == '"' || c == '\\') {
    out.append(1, '\\').append(1, c);
  } else if (ascii::is_printable(c)) {
    out.append(1, c);
  } else {
    const auto byte = static_cast<unsigned char>(c);
    out.append("\\x").append(1, digits[byte >> 4U]).append(1, digits[byte & 15U]);
  }
}

}  // namespace

const Node* Node::find(std::string_view name) const {
  const auto found = std::ranges::lower_bound(children, name, {}, &Node::key);
  return found != children.end() && found->key == name ? &*found : nullptr;
}

std::string_view describe(Node::Kind kind) {
  switch (kind) {
    case Node::Kind::table:
      return "a table";
    case Node::Kind::array:
      return "an array";
    case Node::Kind::string:
      return "a string";
    case Node::Kind::integer:
      return "an integer";
    case Node::Kind::floating_point:
      return "a floating-point number";
    case Node::Kind::boolean:
      return "a boolean";
    case Node::Kind::date_or_time:
      break;
  }
  return "a date or time";
}

std::string join_key(std::string_view path, std::string_view key) {
  std::string joined{path};
  if (!joined.empty()) joined.append(".");
  const bool cut = key.size() > longest_shown_key;
  const auto shown = key.substr(0, longest_shown_key);
  if (!cut && !shown.empty() && std::ranges::all_of(shown, is_bare)) return joined.append(shown);
  joined.append("\"");
  for (const char c : shown) append_escaped(joined, c);
  return joined.append(cut ? "...\"" : "\"");
}

}  // namespace grantd::config
