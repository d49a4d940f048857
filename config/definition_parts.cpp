// A client asks for a token and an API asks with it: both say for what, for whom and over which connection.
#include "config/definition_parts.hpp"

#include <algorithm>

#include "common/syntax.hpp"
#include "config/url.hpp"
#include "config/values.hpp"

namespace grantd::config {

namespace {

template <class Whole, class Item>
std::optional<std::vector<std::string>> read_set(const TableReader& reader, std::string_view key, Whole whole,
                                                 Item item) {
  const Node* node = reader.find(key);
  if (node == nullptr) return std::nullopt;
  std::optional<std::vector<std::string>> set;
  if (node->is(Node::Kind::array)) {
    set = reader.list(key, text(item));
  } else if (node->is(Node::Kind::string)) {
    set = reader.value(key, text(whole));
  } else {
    reader.fail(key, type_mismatch("a string or an array of strings", *node));
  }
  if (set) {
    std::ranges::sort(*set);
    const auto rest = std::ranges::unique(*set);
    set->erase(rest.begin(), rest.end());
  }
  return set;
}

// RFC 6749 section 3.3: scope tokens with spaces between them.
Parsed<std::vector<std::string>> parse_scope(std::string_view list) {
  std::vector<std::string> scopes;
  while (!list.empty()) {
    const auto end = std::min(list.find(' '), list.size());
    if (end > 0) {
      auto token = parse_scope_token(list.substr(0, end));
      if (!token) return std::unexpected{std::move(token.error())};
      scopes.push_back(std::move(*token));
    }
    list.remove_prefix(std::min(end + 1, list.size()));
  }
  return scopes;
}

Parsed<std::vector<std::string>> parse_one_resource(std::string_view text) {
  auto resource = parse_resource(text);
  if (!resource) return std::unexpected{std::move(resource.error())};
  return std::vector{std::move(*resource)};
}

}  // namespace

bool expect_table(const Node& node, const std::string& path, Problems& problems) {
  if (node.is(Node::Kind::table)) return true;
  problems.add(node.position, path, type_mismatch("a table", node));
  return false;
}

void check_definition_name(const Node& definition, const std::string& path, Problems& problems) {
  if (syntax::is_definition_name(definition.key)) return;
  problems.add(
      definition.key_position, path,
      "expected a name of 1 to 128 letters, digits, '.', '_' and '-' that is not made of dots alone");
}

std::optional<std::vector<std::string>> read_scope(const TableReader& reader) {
  return read_set(reader, "scope", parse_scope, parse_scope_token);
}

std::optional<std::vector<std::string>> read_resource(const TableReader& reader) {
  return read_set(reader, "resource", parse_one_resource, parse_resource);
}

std::optional<std::string> read_audience(const TableReader& reader) {
  return reader.value("audience", text(parse_plain_text));
}

AccessSettings read_access(const TableReader& reader) {
  return {.users = reader.list("allow_users", account),
          .groups = reader.list("allow_groups", account),
          .units = reader.list("allow_units", text(parse_unit_name))};
}

TlsSettings read_tls(const TableReader& reader) {
  TlsSettings tls{.ca_file = reader.value("tls_ca_file", text(parse_absolute_path)),
                  .cert_file = reader.value("tls_cert_file", text(parse_absolute_path)),
                  .key_file = reader.value("tls_key_file", text(parse_absolute_path))};
  if (reader.has("tls_cert_file") && !reader.has("tls_key_file")) {
    reader.fail("tls_cert_file", "expected tls_key_file beside it: the certificate's private key");
  } else if (reader.has("tls_key_file") && !reader.has("tls_cert_file")) {
    reader.fail("tls_key_file", "expected tls_cert_file beside it: the key's certificate");
  }
  return tls;
}

std::optional<Url> read_url(const TableReader& reader, std::string_view key) {
  auto url = reader.value(key, text(Url::parse));
  const Node* allowed = reader.find("allow_insecure_http");
  if (url && !url->tls && (allowed == nullptr || !allowed->boolean)) {
    reader.fail(key,
                "expected https; http needs allow_insecure_http = true in the same table, on loopback too, "
                "because any "
                "user may listen on a loopback port");
  }
  return url;
}

}  // namespace grantd::config
