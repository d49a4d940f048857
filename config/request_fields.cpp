// What an administrator may add to requests, and what would break or forge them.
#include <algorithm>
#include <span>

#include "common/ascii.hpp"
#include "common/local_api.hpp"
#include "common/syntax.hpp"
#include "config/definition_parts.hpp"

namespace grantd::config {

namespace {

using ascii::equal_ignoring_case;

bool is_any_of(std::string_view name, std::span<const std::string_view> names) {
  return std::ranges::any_of(names,
                             [name](std::string_view other) { return equal_ignoring_case(name, other); });
}

// Without white space at either end, as RFC 9110 section 5.5 has it.
bool is_trimmed_field_value(std::string_view value) {
  constexpr std::string_view blanks = " \t";
  const bool trimmed = value.empty() || (blanks.find(value.front()) == std::string_view::npos &&
                                         blanks.find(value.back()) == std::string_view::npos);
  return trimmed && syntax::is_field_value(value);
}

std::optional<std::string> why_header_is_forbidden(std::string_view name, HeaderUse use) {
  constexpr std::string_view framing[] = {"Connection", "Content-Length", "Transfer-Encoding", "TE",
                                          "Trailer",    "Upgrade",        "Keep-Alive",        "Expect"};
  constexpr std::string_view own[] = {"Host", "Authorization", "DPoP"};
  if (is_any_of(name, framing) || ascii::starts_with_ignoring_case(name, "Proxy-")) {
    return "not allowed: the header belongs to the connection";
  }
  if (is_any_of(name, own) ||
      (use == HeaderUse::token_request && equal_ignoring_case(name, "Content-Type"))) {
    return "not allowed: grantd sets this header itself";
  }
  if (ascii::starts_with_ignoring_case(name, local_api::header_prefix)) {
    return "not allowed: headers named Grantd-* stay between caller and daemon";
  }
  return std::nullopt;
}

// What a token request defines itself; prefixes end with an underscore or stand for a family (RFC 8693
// section 2.1).
bool is_reserved_parameter(std::string_view name) {
  constexpr std::string_view names[] = {
      "grant_type", "assertion",     "scope",    "resource", "audience",
      "code",       "refresh_token", "username", "password", "requested_token_type"};
  constexpr std::string_view prefixes[] = {"client_", "subject_token", "actor_token"};
  return std::ranges::find(names, name) != std::ranges::end(names) ||
         std::ranges::any_of(prefixes, [name](std::string_view prefix) { return name.starts_with(prefix); });
}

/// The entries of a table of strings; those that are no strings are problems and left out.
std::vector<const Node*> string_entries(const TableReader& reader, std::string_view key) {
  std::vector<const Node*> entries;
  const Node* table = reader.find(key);
  if (table == nullptr) return entries;
  if (!table->is(Node::Kind::table)) {
    reader.fail(key, type_mismatch("a table of strings", *table));
    return entries;
  }
  for (const Node& child : table->children) {
    if (child.is(Node::Kind::string)) {
      entries.push_back(&child);
    } else {
      reader.problems().add(child.position, join_key(reader.path_of(key), child.key),
                            type_mismatch("a string", child));
    }
  }
  return entries;
}

}  // namespace

std::optional<Parameters> read_parameters(const TableReader& reader) {
  constexpr std::string_view key = "parameters";
  if (!reader.has(key)) return std::nullopt;
  Parameters parameters;
  for (const Node* entry : string_entries(reader, key)) {
    const std::string path = join_key(reader.path_of(key), entry->key);
    if (entry->key.empty()) {
      reader.problems().add(entry->key_position, path, "expected a parameter name");
    } else if (is_reserved_parameter(entry->key)) {
      reader.problems().add(entry->key_position, path,
                            "not allowed: the token request defines this parameter itself");
    } else {
      parameters.emplace(entry->key, entry->text.reveal());
    }
  }
  return parameters;
}

Headers read_headers(const TableReader& reader, HeaderUse use) {
  constexpr std::string_view key = "headers";
  Headers headers;
  for (const Node* entry : string_entries(reader, key)) {
    // A key that is no header name may be a whole header line, with its value.
    if (!syntax::is_token(entry->key)) {
      reader.problems().add(entry->key_position, reader.path_of(key),
                            "expected a header name of letters, digits and '-' (RFC 9110 section 5.1)");
      continue;
    }
    const std::string path = join_key(reader.path_of(key), entry->key);
    const auto same_name = [&](const auto& header) { return equal_ignoring_case(header.first, entry->key); };
    if (auto reason = why_header_is_forbidden(entry->key, use)) {
      reader.problems().add(entry->key_position, path, *std::move(reason));
    } else if (!is_trimmed_field_value(entry->text.reveal())) {
      reader.problems().add(
          entry->position, path,
          "expected a header value without control characters and without white space at its ends");
    } else if (std::ranges::any_of(headers, same_name)) {
      reader.problems().add(entry->key_position, path,
                            "defined twice; the case of header names does not count");
    } else {
      headers.emplace_back(entry->key, entry->text.reveal());
    }
  }
  return headers;
}

}  // namespace grantd::config
