// The configurations that people begin with.
#include <fstream>
#include <regex>
#include <span>
#include <sstream>

#include "config/keys.hpp"
#include "config/problems.hpp"
#include "config/toml_parser.hpp"
#include "config_text.hpp"

using namespace grantd::tests;
using namespace grantd::config;

namespace {

std::string shipped(const std::string& name) {
  const std::ifstream file{std::string{GRANTD_CONFIG_DIRECTORY} + "/" + name};
  REQUIRE(file.good());
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

/// The full file with every key that stands in it as a comment.
std::string with_commented_keys() {
  return std::regex_replace(shipped("grantd-full.toml"), std::regex{"(^|\n)#(?=[a-z\\[])"}, "$1");
}

/// Each of the keys stands in one of the tables.
void check_has_keys(const std::vector<const Node*>& tables, std::span<const std::string_view> keys) {
  for (const std::string_view key : keys) {
    CAPTURE(key);
    CHECK(std::ranges::any_of(tables, [&](const Node* table) { return table->find(key) != nullptr; }));
  }
}

std::vector<const Node*> tables_in(const Node& parent) {
  std::vector<const Node*> tables;
  for (const Node& table : parent.children) tables.push_back(&table);
  return tables;
}

}  // namespace

TEST_CASE("shipped: the short configuration loads") {
  const auto settings = settings_of(shipped("grantd.toml"));
  CHECK(settings.clients.contains("catalog.client"));
  CHECK(settings.apis.at("catalog")->client == "catalog.client");
}

TEST_CASE("shipped: the full configuration loads and shows the defaults") {
  const auto settings = settings_of(shipped("grantd-full.toml"));
  const DaemonSettings defaults;
  CHECK(settings.daemon.socket == defaults.socket);
  CHECK(settings.daemon.socket_mode == defaults.socket_mode);
  CHECK(settings.daemon.log_level == defaults.log_level);
  CHECK(settings.daemon.max_connections == defaults.max_connections);
  CHECK(settings.daemon.max_connections_per_user == defaults.max_connections_per_user);
  CHECK(settings.daemon.idle_timeout == defaults.idle_timeout);
  CHECK(settings.daemon.admin_users == defaults.admin_users);

  const auto& client = *settings.clients.at("catalog.client");
  const ClientSettings other;
  CHECK(client.auth_method == other.auth_method);
  CHECK(client.authorization_header_style == other.authorization_header_style);
  CHECK(client.refresh_before_expiry == other.refresh_before_expiry);
  CHECK(client.default_lifetime == other.default_lifetime);
  CHECK(client.request_timeout == other.request_timeout);
  CHECK(client.connect_timeout == other.connect_timeout);
  CHECK(client.prefetch == other.prefetch);
  CHECK(client.expose_token == other.expose_token);
  CHECK(client.allow_overrides == other.allow_overrides);
  CHECK(client.max_variants == other.max_variants);
  CHECK(client.max_provoked_requests == other.max_provoked_requests);

  const auto& api = *settings.apis.at("catalog");
  const ApiSettings plain;
  CHECK(api.retry_on_401 == plain.retry_on_401);
  CHECK(api.max_replay_body == plain.max_replay_body);
  CHECK(api.connect_timeout == plain.connect_timeout);
  CHECK(api.response_timeout == plain.response_timeout);
  CHECK(api.idle_timeout == plain.idle_timeout);

  CHECK(settings.cache == CacheSettings{});
}

TEST_CASE("shipped: the full configuration names every key of the schema") {
  const SourceFile file = source("full.toml", with_commented_keys());
  Problems problems;
  const auto root = parse_toml(file, problems);
  REQUIRE(root.has_value());
  check_has_keys({&*root}, root_keys);
  check_has_keys({root->find("daemon")}, daemon_keys);
  check_has_keys({root->find("defaults")}, defaults_keys);
  check_has_keys(tables_in(*root->find("clients")), client_keys);
  check_has_keys(tables_in(*root->find("apis")), api_keys);
  check_has_keys({root->find("cache")}, cache_keys);
}

TEST_CASE("shipped: what stands in the full configuration as a comment is right") {
  for (const ConfigError& error : errors_of(with_commented_keys())) {
    CAPTURE(error.text());
    const bool expected = contains(error.message, "not both") || contains(error.message, "one source of the");
    CHECK(expected);
  }
}
