// A definition's cache outlives the configuration that made it, as long as the tokens in it are still the
// right ones.
#include "daemon/app/catalog_builder.hpp"

#include <unistd.h>

#include <algorithm>
#include <tuple>
#include <utility>

#include "daemon/crypto/digest.hpp"

namespace grantd::daemon {

namespace {

Variant variant_of(const config::ClientSettings& client) {
  return {.scope = client.scope,
          .resource = client.resource,
          .audience = client.audience,
          .parameters = client.parameters};
}

Variant variant_of(const config::ApiSettings& api, const Variant& client) {
  return {.scope = api.scope.value_or(client.scope),
          .resource = api.resource.value_or(client.resource),
          .audience = api.audience.value_or(client.audience),
          .parameters = api.parameters.value_or(client.parameters)};
}

// Each part with its length before it, so that no two definitions can look alike by where one part ends.
void append_part(common::Secret& text, std::string_view part) {
  text.append(std::to_string(part.size()));
  text.append(":");
  text.append(part);
}

std::string digest_of(const common::Secret& text) {
  const auto digest = sha256(text.reveal());
  return {reinterpret_cast<const char*>(digest.data()), digest.size()};
}

// Endpoint, client id, how the client proves itself, and the headers that go along.
std::string definition_digest(const config::ClientSettings& client) {
  common::Secret text;
  append_part(text, client.issuer ? client.issuer->text : client.token_endpoint.text);
  append_part(text, client.client_id);
  append_part(text, std::to_string(static_cast<int>(client.auth_method)));
  append_part(text, std::to_string(static_cast<int>(client.authorization_header_style)));
  for (const auto& [name, value] : client.headers) {
    append_part(text, name);
    append_part(text, value);
  }
  if (client.dpop) append_part(text, client.dpop_alg ? name(*client.dpop_alg) : std::string_view{});
  return digest_of(text);
}

// Empty where one of the credentials cannot be read.
std::string credential_digest(const EndpointCredentials& credentials) {
  const auto authentication = credentials.authentication->identity();
  if (!authentication) return {};
  common::Secret text;
  append_part(text, authentication->reveal());
  if (credentials.dpop) {
    const auto key = credentials.dpop->identity();
    if (!key) return {};
    append_part(text, *key);
  }
  return digest_of(text);
}

// Who may have a definition's tokens, and which.
std::string access_digest(const config::ClientSettings& client) {
  common::Secret text;
  for (const auto* list : {&client.access.users, &client.access.groups, &client.access.units}) {
    append_part(text, *list ? std::to_string((*list)->size()) : std::string_view{"any"});
    if (!*list) continue;
    for (const std::string& name : **list) append_part(text, name);
  }
  append_part(text, client.expose_token ? "exposed" : "hidden");
  for (const config::Override what : client.allow_overrides)
    append_part(text, std::to_string(static_cast<int>(what)));
  for (const auto& part : {client.scope, client.resource}) {
    append_part(text, std::to_string(part.size()));
    for (const std::string& value : part) append_part(text, value);
  }
  append_part(text, client.audience);
  for (const auto& [name, value] : client.parameters) {
    append_part(text, name);
    append_part(text, value);
  }
  return digest_of(text);
}

/// Whether what was read for one definition is good for the other: also what can no longer be read, and a key
/// that was made here.
bool same_credentials(const config::ClientSettings& a, const config::ClientSettings& b) {
  const auto parts = [](const config::ClientSettings& client) {
    return std::tie(client.client_id, client.auth_method, client.authorization_header_style,
                    client.client_secret, client.client_secret_next_file, client.private_key,
                    client.private_key_passphrase_file, client.private_key_id, client.signing_alg,
                    client.certificate_file, client.client_assertion_file, client.tls.cert_file,
                    client.tls.key_file, client.dpop, client.dpop_key, client.dpop_alg);
  };
  return parts(a) == parts(b);
}

}  // namespace

CatalogBuilder::CatalogBuilder(EndpointParts endpoint, Metrics& metrics, AccountLookup accounts,
                               Outlets outlets)
    : endpoint_(endpoint), metrics_(metrics), accounts_(std::move(accounts)), outlets_(outlets) {}

std::shared_ptr<Catalog> CatalogBuilder::build(const config::Settings& settings) {
  outlets_.shared.configure(settings.cache);
  auto admins = settings.daemon.admin_users;
  admins.push_back(std::to_string(::geteuid()));
  auto catalog = std::make_shared<Catalog>(
      Catalog{.clients = {}, .apis = {}, .admins = AccessPolicy::for_users(admins, accounts_)});

  std::map<std::string, std::vector<Variant>, std::less<>> configured;
  for (const auto& [name, client] : settings.clients) configured[name].push_back(variant_of(*client));
  for (const auto& [_, api] : settings.apis) {
    auto& variants = configured[api->client];
    if (Variant variant = variant_of(*api, variants.front());
        std::ranges::find(variants, variant) == variants.end()) {
      variants.push_back(std::move(variant));
    }
  }

  std::map<std::string, Entry> entries;
  for (const auto& [name, client] : settings.clients) {
    auto& variants = configured[name];
    Variant own = variants.front();
    Entry entry = entry_for(client, std::move(variants));
    catalog->clients.emplace(
        name, std::make_shared<CatalogClient>(client, entry.tokens, AccessPolicy{client->access, accounts_},
                                              std::move(own)));
    entries.emplace(name, std::move(entry));
  }
  // Requests under way may hold a cache that is not gone on with.
  for (const auto& [name, before] : entries_) {
    const auto after = entries.find(name);
    if (after == entries.end() || after->second.tokens != before.tokens) before.tokens->retire();
  }
  entries_ = std::move(entries);
  auto apis = settings.apis;
  for (auto& [name, api] : apis) {
    keep_unchanged(api);
    auto client = catalog->clients.at(api->client);
    Variant variant = variant_of(*api, client->variant);
    catalog->apis.emplace(
        name, std::make_shared<CatalogApi>(CatalogApi{.settings = api,
                                                      .client = std::move(client),
                                                      .access = AccessPolicy{api->access, accounts_},
                                                      .variant = std::move(variant),
                                                      .metrics = &metrics_.api(name)}));
  }
  apis_ = std::move(apis);
  return catalog;
}

void CatalogBuilder::keep_unchanged(std::shared_ptr<const config::ApiSettings>& api) const {
  const auto before = apis_.find(api->name);
  if (before != apis_.end() && *before->second == *api) api = before->second;
}

CatalogBuilder::Entry CatalogBuilder::entry_for(const std::shared_ptr<const config::ClientSettings>& settings,
                                                std::vector<Variant> configured) {
  const auto before = entries_.find(settings->name);
  Entry entry{.fingerprint = {.definition = definition_digest(*settings)}, .settings = settings};
  if (before != entries_.end() && same_credentials(*before->second.settings, *settings)) {
    entry.credentials = before->second.credentials;
    entry.dpop_key = before->second.dpop_key;
  } else {
    make_credentials(entry);
  }
  entry.fingerprint.credential = credential_digest(entry.credentials);
  auto& metrics = metrics_.client(settings->name);
  auto fetcher = outlets_.shared.share(
      std::make_shared<EndpointFetcher>(settings, entry.credentials, endpoint_, metrics), settings,
      entry.credentials);
  const std::string access = access_digest(*settings);
  TokenOutlets outlets{.pages = outlets_.pages.publisher(settings->name, access)};
  outlets.keeper =
      outlets_.kept.keeper({.client = settings->name,
                            .fingerprint =
                                [definition = entry.fingerprint.definition, credentials = entry.credentials] {
                                  return DefinitionFingerprint{definition, credential_digest(credentials)};
                                },
                            .dpop_key = [dpop = entry.credentials.dpop]() -> std::shared_ptr<const DpopKey> {
                              if (!dpop) return nullptr;
                              return dpop->current().value_or(nullptr);
                            }});
  CacheRules rules{.client = settings->name,
                   .refresh_before_expiry = settings->refresh_before_expiry,
                   .prefetch = settings->prefetch,
                   .max_variants = settings->max_variants,
                   .max_provoked_requests = settings->max_provoked_requests,
                   .configured = std::move(configured)};
  if (before != entries_.end() && before->second.fingerprint.fits(entry.fingerprint)) {
    entry.tokens = before->second.tokens;
    // Whoever may not have the tokens any more is found out when it asks again.
    if (access_digest(*before->second.settings) != access) entry.tokens->close_pages();
    entry.tokens->reconfigure(std::move(rules), std::move(fetcher), std::move(outlets));
  } else {
    const CacheParts parts{endpoint_.timers, endpoint_.entropy, endpoint_.log, metrics};
    entry.tokens =
        std::make_shared<TokenCache>(std::move(rules), std::move(fetcher), parts, std::move(outlets));
  }
  return entry;
}

void CatalogBuilder::make_credentials(Entry& entry) const {
  const config::ClientSettings& settings = *entry.settings;
  entry.credentials.authentication = make_client_authentication(entry.settings, endpoint_.log);
  if (!settings.dpop) return;
  KeptDpopKey before;
  const auto algorithm = DpopKeySource::algorithm_of_made(settings);
  if (!settings.dpop_key) {
    before = outlets_.kept.take_dpop_key(settings.name, entry.fingerprint.definition, algorithm);
  }
  entry.credentials.dpop = std::make_shared<DpopKeySource>(entry.settings, endpoint_.log, before.key);
  entry.dpop_key = std::move(before.kept);
  if (const auto made = entry.credentials.dpop->made(); made && !entry.dpop_key) {
    entry.dpop_key =
        outlets_.kept.keep_dpop_key(settings.name, entry.fingerprint.definition, algorithm, *made);
  }
}

}  // namespace grantd::daemon
