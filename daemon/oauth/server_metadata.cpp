// The document decides where secrets are sent, so it is believed only as far as the configuration says: the
// same issuer to the letter, and endpoints on its host or on one that is named.
#include "daemon/oauth/server_metadata.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>

namespace grantd::daemon {

namespace {

using nlohmann::json;
using Failure = std::unexpected<std::string>;

config::Url at_path(const config::Url& issuer, const std::string& path) {
  return config::Url::parse((issuer.tls ? "https://" : "http://") + issuer.authority() + path).value();
}

std::expected<config::Url, std::string> endpoint_of(const json& value, const std::string& name,
                                                    const MetadataRules& rules) {
  if (!value.is_string()) return Failure{"its " + name + " is missing or no string"};
  auto url = config::Url::parse(value.get_ref<const std::string&>());
  if (!url) return Failure{"its " + name + " is wrong: " + url.error()};
  if (!url->tls && !rules.allow_insecure_http) {
    return Failure{"its " + name + " is plain http, which needs allow_insecure_http = true"};
  }
  const auto& hosts = rules.allow_endpoint_hosts;
  if (url->host != rules.issuer.host && std::ranges::find(hosts, url->host) == hosts.end()) {
    return Failure{"its " + name + " is on the host " + url->host +
                   ", which is not the issuer's; name it in allow_endpoint_hosts if that is right"};
  }
  return *std::move(url);
}

std::optional<std::vector<std::string>> methods_of(const json& document) {
  const auto found = document.find("token_endpoint_auth_methods_supported");
  if (found == document.end() || !found->is_array()) return std::nullopt;
  std::vector<std::string> methods;
  for (const json& method : *found) {
    if (method.is_string()) methods.push_back(method.get<std::string>());
  }
  return methods;
}

}  // namespace

std::vector<config::Url> metadata_locations(const config::Url& issuer) {
  std::string path = issuer.path;
  if (path.ends_with('/')) path.pop_back();
  return {at_path(issuer, "/.well-known/oauth-authorization-server" + path),
          at_path(issuer, path + "/.well-known/openid-configuration")};
}

std::expected<ServerMetadata, std::string> read_server_metadata(std::string_view text,
                                                                const MetadataRules& rules) {
  const json document = json::parse(text, nullptr, false);
  if (!document.is_object()) return Failure{"it is no JSON object"};
  const auto issuer = document.find("issuer");
  if (issuer == document.end() || !issuer->is_string() ||
      issuer->get_ref<const std::string&>() != rules.issuer.text) {
    return Failure{"its issuer is not, to the letter, the one that is configured"};
  }
  const auto endpoint = document.find("token_endpoint");
  auto token_endpoint = endpoint_of(endpoint == document.end() ? json{} : *endpoint, "token_endpoint", rules);
  if (!token_endpoint) return Failure{std::move(token_endpoint.error())};
  ServerMetadata metadata{.token_endpoint = *token_endpoint,
                          .mtls_token_endpoint = *token_endpoint,
                          .auth_methods = methods_of(document)};
  const auto aliases = document.find("mtls_endpoint_aliases");
  if (aliases == document.end() || !aliases->is_object() || !aliases->contains("token_endpoint"))
    return metadata;
  auto alias = endpoint_of(aliases->at("token_endpoint"), "token_endpoint in mtls_endpoint_aliases", rules);
  if (!alias) return Failure{std::move(alias.error())};
  metadata.mtls_token_endpoint = *std::move(alias);
  return metadata;
}

}  // namespace grantd::daemon
