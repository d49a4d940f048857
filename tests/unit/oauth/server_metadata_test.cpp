#include "daemon/oauth/server_metadata.hpp"

#include <doctest/doctest.h>

using namespace grantd;

namespace {

daemon::MetadataRules rules() { return {.issuer = config::Url::parse("https://as.example").value()}; }

std::string complaint(std::string_view json, const daemon::MetadataRules& believed = rules()) {
  const auto metadata = daemon::read_server_metadata(json, believed);
  return metadata ? "" : metadata.error();
}

std::vector<std::string> locations(std::string_view issuer) {
  std::vector<std::string> texts;
  for (const auto& url : daemon::metadata_locations(config::Url::parse(issuer).value()))
    texts.push_back(url.text);
  return texts;
}

bool has(const std::string& text, std::string_view part) { return text.find(part) != std::string::npos; }

}  // namespace

TEST_CASE(
    "server metadata: stands below the host, the issuer's path behind it, then as OpenID Connect has it") {
  CHECK(locations("https://as.example:8443/realms/x/") ==
        std::vector<std::string>{"https://as.example:8443/.well-known/oauth-authorization-server/realms/x",
                                 "https://as.example:8443/realms/x/.well-known/openid-configuration"});
  CHECK(locations("http://[::1]") ==
        std::vector<std::string>{"http://[::1]/.well-known/oauth-authorization-server",
                                 "http://[::1]/.well-known/openid-configuration"});
}

TEST_CASE("server metadata: endpoints, aliases for mutual TLS and methods are read") {
  const auto metadata = daemon::read_server_metadata(R"({
      "issuer": "https://as.example", "token_endpoint": "https://AS.example:444/t?a=b",
      "mtls_endpoint_aliases": {"token_endpoint": "https://as.example/mtls"},
      "token_endpoint_auth_methods_supported": ["private_key_jwt", 5, "tls_client_auth"]})",
                                                     rules());
  REQUIRE(metadata.has_value());
  CHECK(metadata->token_endpoint.port == 444);
  CHECK(metadata->token_endpoint.query == "a=b");
  CHECK(metadata->mtls_token_endpoint.path == "/mtls");
  CHECK(*metadata->auth_methods == std::vector<std::string>{"private_key_jwt", "tls_client_auth"});
}

TEST_CASE("server metadata: what is not said is not made up") {
  const auto metadata = daemon::read_server_metadata(
      R"({"issuer":"https://as.example","token_endpoint":"https://as.example/t","mtls_endpoint_aliases":{}})",
      rules());
  REQUIRE(metadata.has_value());
  CHECK(metadata->mtls_token_endpoint == metadata->token_endpoint);
  CHECK_FALSE(metadata->auth_methods.has_value());
}

TEST_CASE("server metadata: an issuer that differs in a slash is another issuer") {
  CHECK(has(complaint(R"({"issuer":"https://as.example/","token_endpoint":"https://as.example/t"})"),
            "issuer"));
}

TEST_CASE("server metadata: hosts and schemes are those of the configuration") {
  constexpr std::string_view elsewhere =
      R"({"issuer":"https://as.example","token_endpoint":"https://b.example/t"})";
  constexpr std::string_view plain =
      R"({"issuer":"https://as.example","token_endpoint":"http://as.example/t"})";
  CHECK(has(complaint(elsewhere), "b.example"));
  CHECK(has(complaint(plain), "allow_insecure_http"));
  auto wider = rules();
  wider.allow_endpoint_hosts = {"b.example"};
  wider.allow_insecure_http = true;
  CHECK(complaint(elsewhere, wider).empty());
  CHECK(complaint(plain, wider).empty());
}
