#include "config_text.hpp"

using namespace grantd::tests;
using namespace grantd::config;

namespace {

constexpr std::string_view without_secret =
    "[clients.c]\n"
    "token_endpoint = 'https://auth.example.com/token'\n"
    "client_id = 'id'\n";

SecretSource secret_of(std::string_view line) {
  return *settings_of(std::string{without_secret}.append(line).append("\n")).clients.at("c")->client_secret;
}

std::string report_of_file_with(FileAccess access) {
  SourceFiles files = sources(std::string{without_secret} + "client_secret = 'hunter2'\n");
  files.files.front().access = access;
  std::string report;
  if (const auto settings = interpret(files); !settings) {
    for (const auto& error : settings.error()) report.append(error.text()).append("\n");
  }
  return report;
}

}  // namespace

TEST_CASE("secret: from each of its sources") {
  CHECK(std::get<InlineSource>(secret_of("client_secret = 'hunter2'")).value->reveal() == "hunter2");
  CHECK(std::get<FileSource>(secret_of("client_secret_file = '/s'")).path == "/s");
  CHECK(std::get<CredentialSource>(secret_of("client_secret_credential = 's'")).name == "s");
  CHECK(std::get<EnvironmentSource>(secret_of("client_secret_env = 'S'")).variable == "S");
}

TEST_CASE("secret: none is an error") {
  CHECK(contains(report_of(without_secret), "grantd.toml:1:10: clients.c.client_secret_file: required"));
}

TEST_CASE("secret: more than one source is an error at every further one") {
  CHECK(report_of(std::string{without_secret} + "client_secret_file = '/s'\nclient_secret_env = 'S'\n") ==
        "grantd.toml:5:1: clients.c.client_secret_env: expected one source of the secret; client_secret_file "
        "in line 4 "
        "is another\n");
  CHECK(errors_of(std::string{without_secret} +
                  "client_secret_env = 'S'\nclient_secret_file = '/s'\nclient_secret_credential = 'c'\n")
            .size() == 2);
}

TEST_CASE("secret: an inline one may hold what a server may have made up, in any script") {
  CHECK(
      errors_of(std::string{without_secret} + "client_secret = ' p\u00e4ss:w%rd+\U0001F511\"\\'\n").empty());
}

TEST_CASE("secret: values that are wrong are errors that do not quote them") {
  for (const WrongLine& wrong : {
           WrongLine{"client_secret = ''", "clients.c.client_secret", "without control characters"},
           WrongLine{"client_secret = \"a\\nb\"", "clients.c.client_secret", "without control characters"},
           WrongLine{"client_secret = 5", "clients.c.client_secret", "expected a string, found an integer"},
           WrongLine{"client_secret_file = 's'", "clients.c.client_secret_file", "absolute path"},
           WrongLine{"client_secret_credential = 'a/b'", "clients.c.client_secret_credential",
                     "LoadCredential"},
           WrongLine{"client_secret_env = 'A B'", "clients.c.client_secret_env", "environment variable"},
       }) {
    check_wrong(without_secret, wrong);
  }
}

TEST_CASE("inline secret: a file that others may read is refused at the key") {
  CHECK(report_of_file_with({.mode = 0644, .group = 0}) ==
        "grantd.toml:4:1: clients.c.client_secret: the file must keep an inline secret, but gives access to "
        "others; "
        "chmod it to 0600, or to 0640 with group grantd, or use client_secret_file\n");
  CHECK(
      contains(report_of_file_with({.mode = 0640, .group = 4294967294}), "gives access to group 4294967294"));
  CHECK(contains(report_of_file_with({.mode = 0600, .group = 0, .has_access_list = true}),
                 "access control list"));
  CHECK(report_of_file_with({.mode = 0600, .group = 4294967294}).empty());
  CHECK(report_of_file_with({.mode = 0640, .group = ::getegid()}).empty());
}

TEST_CASE("inline secret: the process's own group and the service's may read the file") {
  constexpr gid_t own = 100;
  constexpr gid_t service = 200;
  CHECK_FALSE(exposed_to({.mode = 0600, .group = 300}, own, service).has_value());
  CHECK_FALSE(exposed_to({.mode = 0640, .group = own}, own, std::nullopt).has_value());
  CHECK_FALSE(exposed_to({.mode = 0660, .group = service}, own, service).has_value());
  CHECK(exposed_to({.mode = 0640, .group = service}, own, std::nullopt) == "group 200");
  CHECK(exposed_to({.mode = 0620, .group = 300}, own, service) == "group 300");
  CHECK(exposed_to({.mode = 0602, .group = own}, own, service) == "others");
  CHECK(exposed_to({.mode = 0604, .group = own}, own, service) == "others");
}

TEST_CASE("inline secret: files that hold none may be readable by everybody") {
  SourceFiles files = sources(good_client);
  files.files.front().access = {.mode = 0644, .group = 0};
  CHECK(interpret(files).has_value());
}

TEST_CASE("allow_units: full names of units, of a client and of an API") {
  const auto settings =
      settings_of(std::string{good_client} + "allow_units = ['billing.service', 'w@.service']\n");
  CHECK(settings.clients.at("c")->access.units == std::vector<std::string>{"billing.service", "w@.service"});
  check_wrong(good_client, {"allow_units = ['billing']", "clients.c.allow_units", "expected"});
  check_wrong(good_api(), {"allow_units = ['billing']", "apis.a.allow_units", "expected"});
}

TEST_CASE("issuer: stands in place of the token endpoint, with the hosts its endpoints may have") {
  constexpr std::string_view text =
      "[clients.c]\nissuer = 'https://auth.example.com/x'\nclient_id = 'id'\nclient_secret_file = '/s'\n";
  const auto plain = settings_of(text).clients.at("c");
  CHECK(plain->issuer->text == "https://auth.example.com/x");
  CHECK(plain->allow_endpoint_hosts.empty());
  const auto wider =
      settings_of(std::string{text} + "allow_endpoint_hosts = ['Token.Example.com', '10.0.0.1']\n");
  CHECK(wider.clients.at("c")->allow_endpoint_hosts ==
        std::vector<std::string>{"token.example.com", "10.0.0.1"});
  check_wrong(text,
              {"allow_endpoint_hosts = ['a b']", "clients.c.allow_endpoint_hosts", "expected a host name"});
  check_wrong(good_client, {"allow_endpoint_hosts = ['a']", "clients.c.allow_endpoint_hosts", "of no use"});
  check_wrong(good_client, {"issuer = 'https://auth.example.com'", "clients.c.issuer", "not both"});
}

TEST_CASE("http_proxy: is a host and a port, for clients and APIs") {
  const auto client =
      settings_of(std::string{good_client} + "http_proxy = 'http://proxy.example:3128'\n").clients.at("c");
  CHECK(client->http_proxy->host == "proxy.example");
  CHECK(client->http_proxy->port == 3128);
  check_wrong(good_client, {"http_proxy = 'https://proxy:3128'", "clients.c.http_proxy", "http://host:port"});
  CHECK(settings_of(good_api() + "http_proxy = 'http://[::1]:8080'\n").apis.at("a")->http_proxy->host ==
        "::1");
  check_wrong(good_api(), {"http_proxy = 'proxy'", "apis.a.http_proxy", "http://host:port"});
}

TEST_CASE("dpop: is asked for by name or by a key, whose algorithm is not an HMAC") {
  const auto with = [](std::string_view lines) {
    return *settings_of(std::string{good_client}.append(lines)).clients.at("c");
  };
  CHECK_FALSE(with("").dpop);
  CHECK(with("dpop = true\ndpop_alg = 'PS256'\n").dpop_alg == SigningAlgorithm::PS256);
  CHECK(with("dpop_key_file = '/k'\n").dpop);
  CHECK(std::get<CredentialSource>(*with("dpop = true\ndpop_key_credential = 'k'\n").dpop_key).name == "k");
  for (const auto& [key, value, message] :
       {std::tuple{"dpop", "'yes'", "expected true or false"}, std::tuple{"dpop_key_file", "'k'", "absolute"},
        std::tuple{"dpop_key_credential", "''", "expected"},
        std::tuple{"dpop_alg", "'ES256'", "of no use without dpop"}}) {
    check_wrong(good_client, {std::string{key} + " = " + value, std::string{"clients.c."} + key, message});
  }
  check_wrong(std::string{good_client} + "dpop = true\n",
              {"dpop_alg = 'HS256'", "clients.c.dpop_alg", "HMAC"});
  check_wrong(std::string{good_client} + "dpop = false\n",
              {"dpop_key_file = '/k'", "clients.c.dpop_key_file", "of no use"});
  check_wrong(std::string{good_client} + "dpop_key_file = '/k'\n",
              {"dpop_key_credential = 'k'", "clients.c.dpop_key_credential", "one source of the DPoP key"});
}

TEST_CASE("authentication: the method is the named one, else that of the keys") {
  const auto method = [](std::string_view lines) {
    return settings_of(std::string{without_secret}.append(lines)).clients.at("c")->auth_method;
  };
  CHECK(method("client_secret_file = '/s'\n") == AuthMethod::client_secret_basic);
  CHECK(method("client_secret_file = '/s'\ntoken_endpoint_auth_method = 'client_secret_jwt'\nsigning_alg = "
               "'HS512'\n") == AuthMethod::client_secret_jwt);
  CHECK(method("private_key_file = '/k'\nprivate_key_passphrase_file = '/p'\nprivate_key_id = 'thumbprint'\n"
               "certificate_file = '/c'\nsigning_alg = 'PS256'\nassertion_audience = 'urn:as'\n") ==
        AuthMethod::private_key_jwt);
  CHECK(method("private_key_credential = 'k'\n") == AuthMethod::private_key_jwt);
  CHECK(method("client_assertion_file = '/a'\n") == AuthMethod::private_key_jwt);
  for (const auto& [name, expected] :
       {std::pair{"tls_client_auth", AuthMethod::tls_client_auth},
        std::pair{"self_signed_tls_client_auth", AuthMethod::self_signed_tls_client_auth}}) {
    CHECK(method("tls_cert_file = '/c'\ntls_key_file = '/k'\ntoken_endpoint_auth_method = '" +
                 std::string{name} + "'\n") == expected);
  }
}

TEST_CASE("authentication: what a method needs is required, what it does not use is refused") {
  const auto first_error = [](std::string_view lines) {
    const auto errors = errors_of(std::string{without_secret}.append(lines));
    return errors.empty() ? std::string{"none"} : errors.front().key + ": " + errors.front().message;
  };
  const auto expect = [&](std::string_view lines, std::string_view key, std::string_view message) {
    CAPTURE(lines);
    const std::string error = first_error(lines);
    CHECK(contains(error, "clients.c." + std::string{key} + ": "));
    CHECK(contains(error, message));
  };
  const std::string secret = "client_secret_file = '/s'\n";
  const std::string method = "token_endpoint_auth_method = ";
  expect(method + "'private_key_jwt'\n", "private_key_file", "required");
  expect(method + "'tls_client_auth'\n", "tls_cert_file", "required");
  expect(method + "'client_secret_jwt'\n", "client_secret_file", "required");
  expect("tls_cert_file = '/c'\ntls_key_file = '/k'\n", "token_endpoint_auth_method", "required");
  expect(secret + "private_key_file = '/k'\n", "token_endpoint_auth_method", "required");
  expect(secret + "private_key_file = '/k'\n" + method + "'client_secret_post'\n", "private_key_file",
         "of no use");
  expect(secret + "private_key_file = '/k'\n" + method + "'private_key_jwt'\n", "client_secret_file",
         "of no use");
  expect(secret + "signing_alg = 'HS256'\n", "signing_alg", "of no use");
  expect(secret + "private_key_id = 'x'\n", "private_key_id", "of no use");
  expect("private_key_file = '/k'\nclient_secret_next_file = '/n'\n", "client_secret_next_file", "of no use");
  expect("private_key_file = '/k'\nclient_assertion_file = '/a'\n", "client_assertion_file",
         "expected either");
  expect("private_key_file = '/k'\nprivate_key_credential = 'k'\n", "private_key_credential",
         "expected one source");
  expect("private_key_file = '/k'\nsigning_alg = 'HS256'\n", "signing_alg",
         "expected an algorithm for private keys");
  expect(secret + method + "'client_secret_jwt'\nsigning_alg = 'RS256'\n", "signing_alg", "expected HS256");
  expect(secret + "tls_cert_file = '/c'\n", "tls_cert_file", "tls_key_file");
  expect(secret + "tls_key_file = '/k'\n", "tls_key_file", "tls_cert_file");
}
