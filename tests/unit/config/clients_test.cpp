#include "config_text.hpp"

using namespace grantd::tests;
using namespace grantd::config;
using namespace std::chrono_literals;

namespace {

using Strings = std::vector<std::string>;

ClientSettings client_of(std::string_view lines) {
  return *settings_of(std::string{good_client}.append(lines)).clients.at("c");
}

}  // namespace

TEST_CASE("client: every key arrives") {
  const auto client = client_of(
      "token_endpoint_auth_method = 'client_secret_post'\nauthorization_header_style = 'rfc2617'\n"
      "audience = 'api'\nparameters = { tenant = 'north', empty = '' }\nheaders = { X-A = '1', x-b = 'two "
      "words' }\n"
      "refresh_before_expiry = '30s'\ndefault_lifetime = '2m'\nrequest_timeout = '4s'\nconnect_timeout = "
      "'1s'\n"
      "prefetch = true\nexpose_token = false\nallow_users = ['worker', 1001]\nallow_groups = []\n"
      "allow_overrides = ['scope', 'resource', 'audience', 'parameters', 'assertion']\nmax_variants = 1\n"
      "max_provoked_requests = 2\ntls_ca_file = '/ca.pem'\n");
  CHECK(client.name == "c");
  CHECK(client.token_endpoint.host == "auth.example.com");
  CHECK(client.client_id == "id");
  CHECK(std::get<FileSource>(*client.client_secret).path == "/secret");
  CHECK(client.auth_method == AuthMethod::client_secret_post);
  CHECK(client.authorization_header_style == AuthorizationHeaderStyle::rfc2617);
  CHECK(client.audience == "api");
  CHECK(client.parameters == std::map<std::string, std::string>{{"tenant", "north"}, {"empty", ""}});
  CHECK(client.headers ==
        std::vector<std::pair<std::string, std::string>>{{"X-A", "1"}, {"x-b", "two words"}});
  CHECK(client.refresh_before_expiry == 30s);
  CHECK(client.default_lifetime == 2min);
  CHECK(client.request_timeout == 4s);
  CHECK(client.connect_timeout == 1s);
  CHECK(client.prefetch);
  CHECK_FALSE(client.expose_token);
  CHECK(client.access.users == Strings{"worker", "1001"});
  CHECK(client.access.groups == Strings{});
  CHECK(client.allows(Override::assertion));
  CHECK(client.max_variants == 1);
  CHECK(client.max_provoked_requests == 2);
  CHECK(client.tls.ca_file == "/ca.pem");
}

TEST_CASE("client: what is not said has its default") {
  const auto client = client_of("");
  CHECK(client.auth_method == AuthMethod::client_secret_basic);
  CHECK(client.request_timeout == 10s);
  CHECK_FALSE(client.access.users.has_value());
  CHECK_FALSE(client.access.groups.has_value());
  CHECK_FALSE(client.allows(Override::scope));
  CHECK(client.max_variants == 64);
  CHECK(client.max_provoked_requests == 30);
  CHECK(client.expose_token);
}

TEST_CASE("client: scopes and resources are a string or an array, sorted and without duplicates") {
  CHECK(client_of("scope = 'b a  b '\n").scope == Strings{"a", "b"});
  CHECK(client_of("scope = ['b', 'a', 'b']\n").scope == Strings{"a", "b"});
  CHECK(client_of("scope = ''\n").scope.empty());
  CHECK(client_of("resource = 'urn:x'\n").resource == Strings{"urn:x"});
  CHECK(client_of("resource = ['urn:y', 'urn:x', 'urn:y']\n").resource == Strings{"urn:x", "urn:y"});
}

TEST_CASE("client: http is allowed where the same table allows it") {
  const std::string http =
      "[clients.c]\ntoken_endpoint = 'http://127.0.0.1/token'\nclient_id = 'id'\nclient_secret_file = '/s'\n";
  CHECK_FALSE(settings_of(http + "allow_insecure_http = true\n").clients.at("c")->token_endpoint.tls);
  for (const char* line : {"", "allow_insecure_http = false\n"}) {
    CAPTURE(line);
    CHECK(report_of(http + line) ==
          "grantd.toml:2:18: clients.c.token_endpoint: expected https; http needs allow_insecure_http = true "
          "in the "
          "same table, on loopback too, because any user may listen on a loopback port\n");
  }
}

TEST_CASE("client: values that are wrong are errors at their place") {
  for (const WrongLine& wrong : {
           WrongLine{"authorization_header_style = 'rfc7617'", "clients.c.authorization_header_style",
                     "\"rfc2617\""},
           WrongLine{"token_endpoint_auth_method = 'basic'", "clients.c.token_endpoint_auth_method",
                     "expected one of"},
           WrongLine{"scope = 'a\"b'", "clients.c.scope", "RFC 6749"},
           WrongLine{"scope = ['a b']", "clients.c.scope", "RFC 6749"},
           WrongLine{"scope = ['a', 1]", "clients.c.scope", "expected a string, found an integer"},
           WrongLine{"scope = true", "clients.c.scope", "a string or an array of strings, found a boolean"},
           WrongLine{"resource = '/api'", "clients.c.resource", "absolute URI"},
           WrongLine{"resource = ['https://a#f']", "clients.c.resource", "absolute URI"},
           WrongLine{"resource = ''", "clients.c.resource", "absolute URI"},
           WrongLine{"audience = \"a\\nb\"", "clients.c.audience", "control characters"},
           WrongLine{"audience = ['a']", "clients.c.audience", "expected a string, found an array"},
           WrongLine{"refresh_before_expiry = 60", "clients.c.refresh_before_expiry", "found an integer"},
           WrongLine{"default_lifetime = '25h'", "clients.c.default_lifetime", "at most \"24h\""},
           WrongLine{"request_timeout = '0s'", "clients.c.request_timeout", "above zero"},
           WrongLine{"connect_timeout = '1'", "clients.c.connect_timeout", "one unit"},
           WrongLine{"prefetch = 'yes'", "clients.c.prefetch", "expected true or false, found a string"},
           WrongLine{"expose_token = 0", "clients.c.expose_token", "true or false"},
           WrongLine{"allow_users = 'worker'", "clients.c.allow_users", "an array"},
           WrongLine{"allow_users = ['']", "clients.c.allow_users", "a name or a numeric id"},
           WrongLine{"allow_groups = [4294967295]", "clients.c.allow_groups", "a name or a numeric id"},
           WrongLine{"allow_overrides = ['scopes']", "clients.c.allow_overrides", "\"assertion\""},
           WrongLine{"max_variants = 0", "clients.c.max_variants", "from 1 to 100000"},
           WrongLine{"max_variants = 100001", "clients.c.max_variants", "from 1 to 100000"},
           WrongLine{"max_provoked_requests = 0", "clients.c.max_provoked_requests", "from 1 to 1000000"},
           WrongLine{"tls_ca_file = 'ca.pem'", "clients.c.tls_ca_file", "absolute path"},
           WrongLine{"allow_insecure_http = 'true'", "clients.c.allow_insecure_http", "true or false"},
       }) {
    check_wrong(good_client, wrong);
  }
}

TEST_CASE("client: the error of an array's item has the item's place") {
  CHECK(contains(report_of(std::string{good_client} + "scope = [\n  'fine',\n  'not fine',\n]\n"),
                 "grantd.toml:7:3: clients.c.scope: expected a scope"));
}

TEST_CASE("client: the endpoint must be an absolute URL without user and fragment") {
  for (const char* url :
       {"auth.example.com", "https://u:p@auth.example.com/", "https://auth.example.com/#x",
        "https://auth.example.com:99999/", "https://auth example.com/", "https://\u00e4.example/"}) {
    CAPTURE(url);
    const auto errors = errors_of("[clients.c]\ntoken_endpoint = '" + std::string{url} +
                                  "'\nclient_id = 'id'\nclient_secret_file = '/s'\n");
    REQUIRE(errors.size() == 1);
    CHECK(errors.front().key == "clients.c.token_endpoint");
    CHECK(errors.front().line == 2);
    CHECK(errors.front().column == 18);
  }
}

TEST_CASE("client: endpoint or issuer, one of them") {
  CHECK(report_of("[clients.c]\nclient_id = 'id'\nclient_secret_file = '/s'\n") ==
        "grantd.toml:1:10: clients.c.token_endpoint: required: a client needs token_endpoint or issuer\n");
  CHECK(report_of(std::string{good_client} + "issuer = 'https://auth.example.com'\n") ==
        "grantd.toml:5:10: clients.c.issuer: expected either token_endpoint or issuer, not both\n");
}

TEST_CASE("client: an id is required, of printable characters") {
  CHECK(report_of("[clients.c]\ntoken_endpoint = 'https://a.example'\nclient_secret_file = '/s'\n") ==
        "grantd.toml:1:10: clients.c.client_id: required\n");
  for (const char* id : {"", "a\\nb", "\u00e4"}) {
    CAPTURE(id);
    CHECK(report_of("[clients.c]\ntoken_endpoint = 'https://a.example'\nclient_id = \"" + std::string{id} +
                    "\"\nclient_secret_file = '/s'\n") ==
          "grantd.toml:3:13: clients.c.client_id: expected printable ASCII, not empty\n");
  }
}

TEST_CASE("client: parameters never hold what a token request defines") {
  for (const char* name :
       {"grant_type", "client_id", "client_secret", "client_assertion", "client_anything", "assertion",
        "scope", "resource", "audience", "code", "refresh_token", "username", "password", "subject_token",
        "subject_token_type", "actor_token", "actor_token_type", "requested_token_type"}) {
    check_wrong(good_client,
                {"parameters." + std::string{name} + " = 'x'", "clients.c.parameters." + std::string{name},
                 "not allowed: the token request defines this parameter itself"});
  }
  check_wrong(good_client, {"parameters = { '' = 'x' }", "clients.c.parameters.\"\"", "parameter name"});
  check_wrong(good_client,
              {"parameters = { n = 1 }", "clients.c.parameters.n", "expected a string, found an integer"});
  check_wrong(good_client,
              {"parameters = 'a=b'", "clients.c.parameters", "a table of strings, found a string"});
  CHECK(client_of("parameters = { codes = 'x', client = 'y' }\n").parameters.size() == 2);
}

TEST_CASE("client: headers that frame, prove or belong to the daemon are refused") {
  for (const char* name : {"Connection", "content-length", "Transfer-Encoding", "TE", "Trailer", "Upgrade",
                           "Keep-Alive", "Proxy-Authorization", "proxy-connection", "Proxy-X", "Expect",
                           "HOST", "Authorization", "dpop", "Content-Type", "Grantd-Scope", "grantd-x"}) {
    check_wrong(good_client, {"headers." + std::string{name} + " = 'x'",
                              "clients.c.headers." + std::string{name}, "not allowed"});
  }
}

TEST_CASE("client: headers are names and values of RFC 9110") {
  for (const char* name : {"", "a b", "a:", "\\u00e4", "a\\r\\nb", "(a)"}) {
    check_wrong(good_client, {"headers = { \"" + std::string{name} + "\" = 'x' }", "clients.c.headers",
                              "expected a header name"});
  }
  for (const char* value : {"a\\r\\nB: c", "a\\nb", "\\u0000", "\\u007f", " a", "a ", "\\ta"}) {
    check_wrong(good_client, {"headers = { X-A = \"" + std::string{value} + "\" }", "clients.c.headers.X-A",
                              "expected a header value"});
  }
  check_wrong(good_client, {"headers = { X-A = '1', x-a = '2' }", "clients.c.headers.x-a", "defined twice"});
  check_wrong(good_client,
              {"headers = { X-A = 1 }", "clients.c.headers.X-A", "expected a string, found an integer"});
  CHECK(client_of("headers = { X-A = \"\\u00e4 \\t b\", X-Empty = '' }\n").headers.size() == 2);
}
