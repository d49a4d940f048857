// [apis.NAME]: where requests go. A name is also a Host, so that case must not tell two of them apart.
#include <algorithm>
#include <map>

#include "common/ascii.hpp"
#include "common/local_api.hpp"
#include "config/definition_parts.hpp"
#include "config/keys.hpp"
#include "config/schema.hpp"
#include "config/url.hpp"
#include "config/values.hpp"

namespace grantd::config {

namespace {

// All replay buffers together stay below this, so that one alone cannot be larger.
constexpr std::size_t largest_replay_body = std::size_t{64} << 20;

std::string folded(std::string_view name) {
  std::string result{name};
  std::ranges::transform(result, result.begin(), ascii::to_lower);
  return result;
}

void read_client_reference(const TableReader& reader, const Node* clients, bool complete, ApiSettings& api) {
  if (!reader.has("client")) return reader.fail("client", "required: the client whose token is used");
  auto name = reader.value("client", text(parse_plain_text));
  if (!name) return;
  api.client = *std::move(name);
  std::vector<std::string_view> names;
  if (clients != nullptr) {
    for (const Node& client : clients->children) names.push_back(client.key);
  }
  if (!complete || std::ranges::find(names, api.client) != names.end()) return;
  reader.fail("client", "expected the name of a client that is defined" + did_you_mean(api.client, names));
}

void read_base_url(const TableReader& reader, ApiSettings& api) {
  if (!reader.has("base_url")) return reader.fail("base_url", "required: where requests go");
  auto url = read_url(reader, "base_url");
  if (!url) return;
  if (url->text.find('?') != std::string::npos) reader.fail("base_url", "expected a URL without a query");
  while (url->path.ends_with('/')) url->path.pop_back();
  api.base_url = *std::move(url);
}

void read_api(const TableReader& reader, const Node* clients, bool complete, ApiSettings& api) {
  reader.reject_unknown();
  if (reader.holds_only_unknown_tables()) return;
  reader.value("allow_insecure_http", boolean);
  read_client_reference(reader, clients, complete, api);
  read_base_url(reader, api);
  api.scope = read_scope(reader);
  api.resource = read_resource(reader);
  api.audience = read_audience(reader);
  api.parameters = read_parameters(reader);
  api.headers = read_headers(reader, HeaderUse::api_request);
  reader.into(api.retry_on_401, "retry_on_401", boolean);
  reader.into(api.max_replay_body, "max_replay_body",
              text([](std::string_view size) { return parse_size(size, largest_replay_body); }));
  reader.into(api.connect_timeout, "connect_timeout", text(parse_duration));
  reader.into(api.response_timeout, "response_timeout", text(parse_duration));
  reader.into(api.idle_timeout, "idle_timeout", text(parse_duration));
  api.access = read_access(reader);
  api.tls = read_tls(reader);
  api.http_proxy = reader.value("http_proxy", text(parse_proxy_url));
}

void check_name(const Node& definition, const std::string& path, std::map<std::string, const Node*>& seen,
                Problems& problems) {
  check_definition_name(definition, path, problems);
  const std::string name = folded(definition.key);
  if (name == local_api::localhost || name == local_api::own_host) {
    problems.add(definition.key_position, path, "not allowed: as a host this name means grantd itself");
  }
  const auto [other, is_new] = seen.emplace(name, &definition);
  if (!is_new) {
    const Position& first = other->second->key_position;
    problems.add(definition.key_position, path,
                 "differs only in case from the API in line " + std::to_string(first.line) +
                     (first.source == definition.key_position.source ? "" : " of another file"));
  }
}

}  // namespace

Apis read_apis(const Node& table, const Node* clients, bool complete, Problems& problems) {
  Apis apis;
  if (!expect_table(table, "apis", problems)) return apis;
  std::map<std::string, const Node*> seen;
  for (const Node& definition : table.children) {
    const std::string path = join_key("apis", definition.key);
    if (!expect_table(definition, path, problems)) continue;
    check_name(definition, path, seen, problems);
    auto api = std::make_shared<ApiSettings>();
    api->name = definition.key;
    read_api(TableReader{definition, path, api_keys, problems}, clients, complete, *api);
    apis.emplace(definition.key, std::move(api));
  }
  return apis;
}

}  // namespace grantd::config
