// What holds for every table of the schema.
#include <span>
#include "config/keys.hpp"
#include "config/nearest.hpp"

#include "config_text.hpp"

using namespace grantd::tests;

namespace {

struct Table {
  std::string header;
  std::string name;  // as messages call it
  std::span<const std::string_view> keys;
};

const std::vector<Table>& tables() {
  using namespace grantd::config;
  static const std::vector<Table> all{{"[daemon]", "daemon", daemon_keys},
                                      {"[defaults]", "defaults", defaults_keys},
                                      {"[clients.x]", "clients.x", client_keys},
                                      {"[apis.x]", "apis.x", api_keys},
                                      {"[cache]", "cache", cache_keys}};
  return all;
}

bool has_error(const std::vector<grantd::config::ConfigError>& errors, std::size_t line, std::size_t column,
               std::string_view key, std::string_view message) {
  return std::ranges::any_of(errors, [&](const auto& error) {
    return error.line == line && error.column == column && error.key == key &&
           contains(error.message, message);
  });
}

}  // namespace

TEST_CASE("configuration: an empty one is right") {
  const auto settings = settings_of("");
  CHECK(settings.clients.empty());
  CHECK(settings.apis.empty());
  CHECK(settings.daemon.socket == "/run/grantd/grantd.sock");
}

TEST_CASE("schema: every key is read, a value of a wrong type is an error at the value") {
  for (const Table& table : tables()) {
    for (const std::string_view key : table.keys) {
      const std::string line = std::string{key} + " = 1979-05-27";
      CAPTURE(table.header);
      CAPTURE(line);
      const auto errors = errors_of(table.header + "\n" + line + "\n");
      CHECK(
          has_error(errors, 2, key.size() + 4, table.name + "." + std::string{key}, "found a date or time"));
    }
  }
}

TEST_CASE("schema: a misspelt key is an error that names the nearest known one") {
  for (const Table& table : tables()) {
    for (const std::string_view key : table.keys) {
      std::string misspelt{key};
      misspelt.insert(2, "x");
      CAPTURE(table.header);
      CAPTURE(misspelt);
      const auto errors = errors_of(table.header + "\n " + misspelt + " = 'v'\n");
      CHECK(has_error(errors, 2, 2, table.name + "." + misspelt, "unknown key; did you mean \""));
    }
  }
}

TEST_CASE("schema: what the nearest key is") {
  using grantd::config::nearest;
  const auto& keys = grantd::config::client_keys;
  CHECK(nearest("token-endpoint", keys) == "token_endpoint");
  CHECK(nearest("Scope", keys) == "scope");
  CHECK(nearest("scopes", keys) == "scope");
  CHECK(nearest("socpe", keys) == "scope");
  CHECK(nearest("clientid", keys) == "client_id");
  CHECK(nearest("secret", keys) == std::nullopt);
  CHECK(nearest("", keys) == std::nullopt);
  CHECK(nearest(std::string(1000, 'x'), keys) == std::nullopt);
  CHECK(grantd::config::edit_distance("kitten", "sitting") == 3);
  CHECK(grantd::config::edit_distance("ab", "ba") == 1);
  CHECK(grantd::config::edit_distance("", "abc") == 3);
}

TEST_CASE("schema: unknown tables and keys at the top are errors") {
  CHECK(report_of("[client.x]\n") == "grantd.toml:1:2: client: unknown table; did you mean \"clients\"?\n");
  CHECK(report_of("[http]\n") == "grantd.toml:1:2: http: unknown table\n");
  CHECK(report_of("\n  socket = '/x'\n") == "grantd.toml:2:3: socket: unknown key\n");
}

TEST_CASE("schema: a table that is something else is an error") {
  CHECK(report_of("daemon = 1\n") == "grantd.toml:1:10: daemon: expected a table, found an integer\n");
  CHECK(report_of("[[clients]]\n") == "grantd.toml:1:1: clients: expected a table, found an array\n");
  CHECK(report_of("[clients]\nx = 'y'\n") ==
        "grantd.toml:2:5: clients.x: expected a table, found a string\n");
  CHECK(report_of("[apis]\nx = true\n") == "grantd.toml:2:5: apis.x: expected a table, found a boolean\n");
  CHECK(report_of("cache = 1.5\n") ==
        "grantd.toml:1:9: cache: expected a table, found a floating-point number\n");
}

TEST_CASE("schema: all errors of a file come together, from top to bottom") {
  CHECK(report_of("[apis.a]\nbase_url = 1\n[daemon]\nlog_level = 'loud'\nmax_connection = 5\n[clients.c]\n"
                  "client_id = ''\n") ==
        "grantd.toml:1:7: apis.a.client: required: the client whose token is used\n"
        "grantd.toml:2:12: apis.a.base_url: expected a string, found an integer\n"
        "grantd.toml:4:13: daemon.log_level: expected one of \"error\", \"warning\", \"info\", \"debug\"\n"
        "grantd.toml:5:1: daemon.max_connection: unknown key; did you mean \"max_connections\"?\n"
        "grantd.toml:6:10: clients.c.token_endpoint: required: a client needs token_endpoint or issuer\n"
        "grantd.toml:6:10: clients.c.client_secret_file: required: a client needs one of client_secret_file, "
        "client_secret_credential, client_secret_env and client_secret\n"
        "grantd.toml:7:13: clients.c.client_id: expected printable ASCII, not empty\n");
}

TEST_CASE("schema: names of definitions follow the grammar") {
  const std::string body = std::string{good_client.substr(good_client.find('\n'))};
  CHECK(report_of("[clients.\"a/b\"]" + body) ==
        "grantd.toml:1:10: clients.\"a/b\": expected a name of 1 to 128 letters, digits, '.', '_' and '-' "
        "that is not "
        "made of dots alone\n");
  CHECK(contains(report_of("[clients.\"..\"]" + body), "dots alone"));
  CHECK(contains(report_of("[clients.\"\"]" + body), "dots alone"));
  CHECK(contains(report_of("[apis.\"\\u001b[0m\"]\n"), "apis.\"\\x1b[0m\": expected a name"));
  CHECK(report_of("[clients.\"a.b\"]" + body).empty());
}

TEST_CASE("schema: a name with a dot that lost its quotes gets one error that says so") {
  const std::string body = std::string{good_client.substr(good_client.find('\n'))};
  CHECK(report_of("[clients.catalog.client]" + body) ==
        "grantd.toml:1:18: clients.catalog.client: unknown table; a name that holds a dot stands in quotes, "
        "as in "
        "[clients.\"catalog.client\"]\n");
}

TEST_CASE("defaults: what they say holds for clients that say nothing") {
  const auto settings = settings_of(
      "[defaults]\nrefresh_before_expiry = '10s'\ndefault_lifetime = '1h'\nrequest_timeout = '7s'\n"
      "connect_timeout = '500ms'\n" +
      std::string{good_client} + "request_timeout = '1s'\n");
  const auto& client = *settings.clients.at("c");
  using namespace std::chrono_literals;
  CHECK(client.refresh_before_expiry == 10s);
  CHECK(client.default_lifetime == 1h);
  CHECK(client.request_timeout == 1s);
  CHECK(client.connect_timeout == 500ms);
}

TEST_CASE("defaults: only timing keys may stand there") {
  CHECK(report_of("[defaults]\nscope = 'x'\n") == "grantd.toml:2:1: defaults.scope: unknown key\n");
}

TEST_CASE("daemon: every key arrives") {
  const auto daemon =
      settings_of(
          "[daemon]\nsocket = '/tmp/s'\nsocket_mode = '0600'\nsocket_group = 'callers'\nlog_level = 'debug'\n"
          "max_connections = 1000000\nmax_connections_per_user = 1\nidle_timeout = '5s'\n"
          "metrics_listen = '[::1]:9464'\nadmin_users = ['root', 'ops', 1000]\n")
          .daemon;
  CHECK(daemon.socket == "/tmp/s");
  CHECK(daemon.socket_mode == 0600);
  CHECK(daemon.socket_group == "callers");
  CHECK(daemon.log_level == grantd::common::LogLevel::debug);
  CHECK(daemon.max_connections == 1000000);
  CHECK(daemon.max_connections_per_user == 1);
  CHECK(daemon.idle_timeout == std::chrono::seconds{5});
  CHECK(daemon.metrics_listen == std::pair<std::string, std::uint16_t>{"::1", 9464});
  CHECK(daemon.admin_users == std::vector<std::string>{"root", "ops", "1000"});
}

TEST_CASE("daemon: values out of range are errors") {
  for (const WrongLine& wrong : {
           WrongLine{"socket = 'grantd.sock'", "daemon.socket", "absolute path"},
           WrongLine{"socket_mode = '0888'", "daemon.socket_mode", "octal"},
           WrongLine{"socket_mode = 0o660", "daemon.socket_mode", "expected a string"},
           WrongLine{"socket_group = ''", "daemon.socket_group", "a name or a numeric id"},
           WrongLine{"log_level = 'INFO'", "daemon.log_level", "expected one of"},
           WrongLine{"max_connections = 0", "daemon.max_connections", "from 1 to 1000000"},
           WrongLine{"max_connections = 1000001", "daemon.max_connections", "from 1 to 1000000"},
           WrongLine{"max_connections = '5'", "daemon.max_connections",
                     "expected an integer, found a string"},
           WrongLine{"max_connections_per_user = -1", "daemon.max_connections_per_user", "from 1"},
           WrongLine{"idle_timeout = '0s'", "daemon.idle_timeout", "duration"},
           WrongLine{"idle_timeout = 60", "daemon.idle_timeout", "expected a string, found an integer"},
           WrongLine{"metrics_listen = 'localhost:1'", "daemon.metrics_listen", "IP address"},
           WrongLine{"admin_users = 'root'", "daemon.admin_users", "expected an array, found a string"},
           WrongLine{"admin_users = [-1]", "daemon.admin_users", "numeric id"},
           WrongLine{"admin_users = ['4294967295']", "daemon.admin_users", "numeric id"},
           WrongLine{"admin_users = ['a:b']", "daemon.admin_users", "a name or a numeric id"},
           WrongLine{"admin_users = [true]", "daemon.admin_users", "found a boolean"},
       }) {
    check_wrong("[daemon]\n", wrong);
  }
}

TEST_CASE("cache: without shared there is nothing to share") {
  CHECK_FALSE(settings_of("[cache]\n").cache.shared);
  CHECK(settings_of("").cache == grantd::config::CacheSettings{});
  CHECK(settings_of("[cache]\ntimeout = '50ms'\n").cache.timeout == std::chrono::milliseconds{50});
}

TEST_CASE("cache: server, keys, prefix and timeout") {
  const auto cache =
      settings_of(
          "[cache]\nshared = 'rediss://u@Cache.example:6380/3'\nkey_file = '/k'\npassword_credential = "
          "'p'\nprefix = 'p:'\ntimeout = '1s'\n")
          .cache;
  CHECK(cache.shared == grantd::config::RedisServer{
                            .host = "cache.example", .port = 6380, .tls = true, .user = "u", .database = 3});
  CHECK(cache.key == grantd::config::SecretSource{grantd::config::FileSource{"/k"}});
  CHECK(cache.password == grantd::config::SecretSource{grantd::config::CredentialSource{"p"}});
  CHECK(cache.prefix == "p:");
  CHECK(cache.timeout == std::chrono::seconds{1});
}

TEST_CASE("cache: a password or key for nothing is told") {
  for (const std::string key : {"password_file", "password_credential", "key_file", "key_credential"}) {
    const std::string value = key.ends_with("_file") ? "/k" : "k";
    CHECK(contains(report_of("[cache]\n" + key + " = '" + value + "'\n"),
                   "cache." + key + ": expected shared beside it"));
  }
}

TEST_CASE("cache: what is wrong is told") {
  CHECK(contains(report_of("[cache]\nshared = 'redis://h:1'\n"), "cache.key_file: required with shared"));
  CHECK(contains(report_of("[cache]\nshared = 'x'\n"), "2:10: cache.shared: expected \"redis://"));
  CHECK(contains(report_of("[cache]\nshared = 'redis://u@h:1'\nkey_file = '/k'\n"),
                 "cache.shared: expected password_file"));
  CHECK(contains(report_of("[cache]\nkey_file = '/k'\nkey_credential = 'k'\n"),
                 "3:18: cache.key_credential: expected either key_file or key_credential, not both"));
  CHECK(contains(report_of("[cache]\npassword_file = '/k'\npassword_credential = 'k'\n"), "not both"));
}
