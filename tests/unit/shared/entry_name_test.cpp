#include <doctest/doctest.h>

#include <functional>

#include "tests/unit/shared/fleet_fixture.hpp"

using namespace grantd;
using namespace grantd::tests;

namespace {

struct Definition {
  std::shared_ptr<config::ClientSettings> settings = client_settings();
  std::string secret = "secret";
  daemon::Variant variant{};
  std::string key = first_key;

  std::string name() const {
    LogRecorder log;
    const daemon::SharingIdentitySource source{
        settings, {.authentication = std::make_shared<WordAuthentication>(secret)}, log};
    const auto keys = daemon::parse_sealing_keys(key);
    return entry_name("p:", keys.value().front(), source.current().value(), variant);
  }
};

}  // namespace

TEST_CASE("entry name: the same for the same definition, whatever it is called") {
  Definition one;
  Definition other;
  other.settings->name = "another";
  other.settings->request_timeout = std::chrono::seconds{1};
  other.settings->access.users = {"somebody"};
  CHECK(one.name() == other.name());
  CHECK(one.name().size() == 2 + 43);
  CHECK(one.name().starts_with("p:"));
}

TEST_CASE("entry name: different for whatever makes another token") {
  const std::string usual = Definition{}.name();
  using Change = std::function<void(Definition&)>;
  const std::vector<Change> changes{
      [](Definition& d) { d.settings->token_endpoint = *config::Url::parse("https://as.example/token2"); },
      [](Definition& d) { d.settings->issuer = *config::Url::parse("https://as.example/token"); },
      [](Definition& d) { d.settings->client_id = "id2"; },
      [](Definition& d) { d.settings->auth_method = config::AuthMethod::client_secret_post; },
      [](Definition& d) {
        d.settings->authorization_header_style = config::AuthorizationHeaderStyle::rfc2617;
      },
      [](Definition& d) { d.settings->client_assertion_file = "/a"; },
      [](Definition& d) { d.settings->headers.emplace_back("X-A", "1"); },
      [](Definition& d) { d.secret = "secret2"; },
      [](Definition& d) { d.key = second_key; },
      [](Definition& d) { d.variant.scope = {"a"}; },
      [](Definition& d) { d.variant.scope = {"a", "b"}; },
      [](Definition& d) { d.variant.scope = {"ab"}; },
      [](Definition& d) { d.variant.resource = {"a"}; },
      [](Definition& d) { d.variant.audience = "a"; },
      [](Definition& d) { d.variant.parameters = {{"a", "b"}}; },
      [](Definition& d) { d.variant.parameters = {{"ab", ""}}; }};
  std::set<std::string> names{usual};
  for (const Change& change : changes) {
    Definition changed;
    change(changed);
    CHECK(names.insert(changed.name()).second);
  }
}

TEST_CASE("entry name: none where the credential cannot be read, or the certificate") {
  LogRecorder log;
  auto settings = client_settings();
  CHECK_FALSE(daemon::SharingIdentitySource{
      settings, {.authentication = std::make_shared<WordAuthentication>(std::nullopt)}, log}
                  .current());
  settings->tls.cert_file = "/nonexistent";
  CHECK_FALSE(daemon::SharingIdentitySource{
      settings, {.authentication = std::make_shared<WordAuthentication>("secret")}, log}
                  .current());
}

TEST_CASE("entry name: none where tokens are bound to a key made here") {
  LogRecorder log;
  auto settings = client_settings();
  settings->dpop = true;
  const daemon::SharingIdentitySource source{
      settings,
      {.authentication = std::make_shared<WordAuthentication>("secret"),
       .dpop = std::make_shared<daemon::DpopKeySource>(settings, log)},
      log};
  CHECK_FALSE(source.current());
}
