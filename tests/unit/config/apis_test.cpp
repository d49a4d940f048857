#include "config_text.hpp"

using namespace grantd::tests;
using namespace grantd::config;
using namespace std::chrono_literals;

namespace {

using Strings = std::vector<std::string>;

ApiSettings api_with(std::string_view lines) { return *settings_of(good_api().append(lines)).apis.at("a"); }

ApiSettings api_at(std::string_view base_url) {
  return *settings_of(std::string{good_client}
                          .append("[apis.a]\nclient = 'c'\nbase_url = '")
                          .append(base_url)
                          .append("'\n"))
              .apis.at("a");
}

}  // namespace

TEST_CASE("API: every key arrives") {
  const auto api = api_with(
      "scope = 'b a'\nresource = 'urn:x'\naudience = 'aud'\nparameters = { p = 'v' }\nretry_on_401 = false\n"
      "max_replay_body = '64KiB'\nconnect_timeout = '1s'\nresponse_timeout = '2s'\nidle_timeout = '3s'\n"
      "headers = { Content-Type = 'text/plain' }\nallow_users = [0]\nallow_groups = ['g']\ntls_ca_file = "
      "'/ca'\n");
  CHECK(api.name == "a");
  CHECK(api.client == "c");
  CHECK(api.scope == Strings{"a", "b"});
  CHECK(api.resource == Strings{"urn:x"});
  CHECK(api.audience == "aud");
  CHECK(api.parameters == std::map<std::string, std::string>{{"p", "v"}});
  CHECK_FALSE(api.retry_on_401);
  CHECK(api.max_replay_body == 65536);
  CHECK(api.connect_timeout == 1s);
  CHECK(api.response_timeout == 2s);
  CHECK(api.idle_timeout == 3s);
  CHECK(api.headers == std::vector<std::pair<std::string, std::string>>{{"Content-Type", "text/plain"}});
  CHECK(api.access.users == Strings{"0"});
  CHECK(api.access.groups == Strings{"g"});
  CHECK(api.tls.ca_file == "/ca");
}

TEST_CASE("API: what is unset is the client's, what is empty is nothing") {
  CHECK_FALSE(api_with("").scope.has_value());
  CHECK_FALSE(api_with("").parameters.has_value());
  CHECK(api_with("scope = ''\n").scope == Strings{});
  CHECK(api_with("resource = []\n").resource == Strings{});
  CHECK(api_with("parameters = {}\n").parameters->empty());
}

TEST_CASE("API: the base URL ends without a slash, whatever was written") {
  CHECK(api_at("https://api.example.com").base_url.path.empty());
  CHECK(api_at("https://api.example.com/").base_url.path.empty());
  CHECK(api_at("https://api.example.com/v1").base_url.path == "/v1");
  CHECK(api_at("https://api.example.com/v1/").base_url.path == "/v1");
}

TEST_CASE("API: defaults for clients are not for APIs") {
  const auto settings = settings_of("[defaults]\nconnect_timeout = '9s'\n" + good_api());
  CHECK(settings.apis.at("a")->connect_timeout == 3s);
}

TEST_CASE("API: values that are wrong are errors at their place") {
  for (const WrongLine& wrong : {
           WrongLine{"retry_on_401 = 1", "apis.a.retry_on_401", "true or false"},
           WrongLine{"max_replay_body = '65MiB'", "apis.a.max_replay_body", "at most \"64MiB\""},
           WrongLine{"max_replay_body = 1024", "apis.a.max_replay_body",
                     "expected a string, found an integer"},
           WrongLine{"connect_timeout = '1d'", "apis.a.connect_timeout", "one unit"},
           WrongLine{"response_timeout = '0s'", "apis.a.response_timeout", "above zero"},
           WrongLine{"idle_timeout = ''", "apis.a.idle_timeout", "duration"},
           WrongLine{"parameters.scope = 'x'", "apis.a.parameters.scope", "not allowed"},
           WrongLine{"headers.Authorization = 'x'", "apis.a.headers.Authorization",
                     "grantd sets this header itself"},
           WrongLine{"headers.Connection = 'x'", "apis.a.headers.Connection", "belongs to the connection"},
           WrongLine{"headers.Grantd-X = 'x'", "apis.a.headers.Grantd-X", "between caller and daemon"},
           WrongLine{"scope = ['a\\b']", "apis.a.scope", "RFC 6749"},
           WrongLine{"tls_ca_file = 'x'", "apis.a.tls_ca_file", "absolute path"},
           WrongLine{"prefetch = true", "apis.a.prefetch", "unknown key"},
       }) {
    check_wrong(good_api(), wrong);
  }
}

TEST_CASE("API: client and base URL are required") {
  CHECK(report_of("[apis.a]\n") ==
        "grantd.toml:1:7: apis.a.client: required: the client whose token is used\n"
        "grantd.toml:1:7: apis.a.base_url: required: where requests go\n");
}

TEST_CASE("API: the base URL has no query and is https") {
  const std::string before = std::string{good_client} + "[apis.a]\nclient = 'c'\n";
  for (const WrongLine& wrong :
       {WrongLine{"base_url = 'https://api.example.com/?x=1'", "apis.a.base_url", "without a query"},
        WrongLine{"base_url = 'https://api.example.com?'", "apis.a.base_url", "without a query"},
        WrongLine{"base_url = 'http://api.example.com'", "apis.a.base_url", "expected https"},
        WrongLine{"base_url = 'api.example.com'", "apis.a.base_url", "absolute URL"}}) {
    check_wrong(before, wrong);
  }
}

TEST_CASE("API: a client that is not defined is an error that names the nearest") {
  const std::string invoice =
      "[clients.\"invoice.client\"]\n" + std::string{good_client.substr(good_client.find('\n') + 1)};
  const std::string api = "[apis.a]\nbase_url = 'https://a.example'\nclient = ";
  CHECK(report_of(invoice + api + "'invoice-client'\n") ==
        "grantd.toml:7:10: apis.a.client: expected the name of a client that is defined; did you mean "
        "\"invoice.client\"?\n");
  CHECK(report_of(api + "'x'\n") ==
        "grantd.toml:3:10: apis.a.client: expected the name of a client that is defined\n");
  // A client that is defined with errors of its own is no missing one.
  CHECK_FALSE(contains(report_of("[clients.c]\n" + api + "'c'\n"), "apis.a"));
}

TEST_CASE("API: names that mean the daemon or differ only in case are errors") {
  const std::string body = "]\nclient = 'c'\nbase_url = 'https://a.example'\n";
  const std::string before{good_client};
  for (const char* name : {"localhost", "LocalHost", "grantd", "GRANTD"}) {
    CAPTURE(name);
    CHECK(contains(report_of(before + "[apis." + name + body),
                   "5:7: apis." + std::string{name} + ": not allowed"));
  }
  CHECK(report_of(before + "[apis.Invoices" + body + "[apis.invoices" + body) ==
        "grantd.toml:8:7: apis.invoices: differs only in case from the API in line 5\n");
}
