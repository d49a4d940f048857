// [defaults] and [clients.NAME]: where tokens come from. Defaults are a client that others start as copies
// of.
#include <algorithm>

#include "config/credentials.hpp"
#include "config/definition_parts.hpp"
#include "config/keys.hpp"
#include "config/schema.hpp"
#include "config/url.hpp"
#include "config/values.hpp"

namespace grantd::config {

namespace {

constexpr std::int64_t most_variants = 100'000;
constexpr std::int64_t most_provoked_requests = 1'000'000;

constexpr Choice<Override> overrides[] = {{"scope", Override::scope},
                                          {"resource", Override::resource},
                                          {"audience", Override::audience},
                                          {"parameters", Override::parameters},
                                          {"assertion", Override::assertion}};

void read_timing(const TableReader& reader, ClientSettings& client) {
  reader.into(client.refresh_before_expiry, "refresh_before_expiry", text(parse_duration));
  reader.into(client.default_lifetime, "default_lifetime", text(parse_duration));
  reader.into(client.request_timeout, "request_timeout", text(parse_duration));
  reader.into(client.connect_timeout, "connect_timeout", text(parse_duration));
}

void read_endpoint(const TableReader& reader, ClientSettings& client) {
  if (auto endpoint = read_url(reader, "token_endpoint")) client.token_endpoint = *std::move(endpoint);
  client.issuer = read_url(reader, "issuer");
  if (client.issuer && client.issuer->text.find('?') != std::string::npos) {
    reader.fail("issuer", "expected a URL without a query (RFC 8414 section 2)");
  }
  if (reader.has("issuer") && reader.has("token_endpoint")) {
    reader.fail("issuer", "expected either token_endpoint or issuer, not both");
  } else if (!reader.has("issuer") && !reader.has("token_endpoint")) {
    reader.fail("token_endpoint", "required: a client needs token_endpoint or issuer");
  }
  if (auto hosts = reader.list("allow_endpoint_hosts", text(parse_host)))
    client.allow_endpoint_hosts = *std::move(hosts);
  if (reader.has("allow_endpoint_hosts") && !reader.has("issuer")) {
    reader.fail("allow_endpoint_hosts", "of no use without issuer");
  }
  client.http_proxy = reader.value("http_proxy", text(parse_proxy_url));
}

void read_request(const TableReader& reader, ClientSettings& client) {
  if (auto scope = read_scope(reader)) client.scope = *std::move(scope);
  if (auto resource = read_resource(reader)) client.resource = *std::move(resource);
  if (auto audience = read_audience(reader)) client.audience = *std::move(audience);
  if (auto parameters = read_parameters(reader)) client.parameters = *std::move(parameters);
  client.headers = read_headers(reader, HeaderUse::token_request);
}

void read_limits(const TableReader& reader, ClientSettings& client) {
  client.access = read_access(reader);
  if (auto allowed = reader.list("allow_overrides", one_of(overrides)))
    client.allow_overrides = *std::move(allowed);
  reader.into(client.prefetch, "prefetch", boolean);
  reader.into(client.expose_token, "expose_token", boolean);
  reader.into(client.max_variants, "max_variants", integer(1, most_variants));
  reader.into(client.max_provoked_requests, "max_provoked_requests", integer(1, most_provoked_requests));
}

void read_client(const TableReader& reader, ClientSettings& client) {
  reader.reject_unknown();
  if (reader.holds_only_unknown_tables()) return;
  reader.into(client.allow_insecure_http, "allow_insecure_http", boolean);
  read_endpoint(reader, client);
  reader.into(client.client_id, "client_id", text(parse_printable));
  if (!reader.has("client_id")) reader.fail("client_id", "required");
  read_credentials(reader, client);
  read_request(reader, client);
  read_timing(reader, client);
  read_limits(reader, client);
  client.tls = read_tls(reader);
}

}  // namespace

ClientSettings read_defaults(const Node& table, Problems& problems) {
  ClientSettings defaults;
  if (!expect_table(table, "defaults", problems)) return defaults;
  const TableReader reader{table, "defaults", defaults_keys, problems};
  reader.reject_unknown();
  read_timing(reader, defaults);
  return defaults;
}

Clients read_clients(const Node& table, const ClientSettings& defaults, Problems& problems) {
  Clients clients;
  if (!expect_table(table, "clients", problems)) return clients;
  for (const Node& definition : table.children) {
    const std::string path = join_key("clients", definition.key);
    if (!expect_table(definition, path, problems)) continue;
    check_definition_name(definition, path, problems);
    auto client = std::make_shared<ClientSettings>(defaults);
    client->name = definition.key;
    read_client(TableReader{definition, path, client_keys, problems}, *client);
    clients.emplace(definition.key, std::move(client));
  }
  return clients;
}

}  // namespace grantd::config
