#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "config_text.hpp"
#include "scratch_directory.hpp"

using namespace grantd::tests;
using namespace grantd::config;

namespace {

std::string machine_report(std::string_view text) {
  std::string report;
  Accounts accounts;
  for (const auto& error : check_machine(settings_of(text), {}, accounts))
    report.append(error.text()).append("\n");
  return report;
}

std::string client_with(std::string_view secret) {
  return std::string{
      "[daemon]\nadmin_users = []\n[clients.\"a.b\"]\ntoken_endpoint = 'https://a.example'\nclient_id = "
      "'i'\n"}
      .append(secret)
      .append("\n");
}

/// Sets or unsets an environment variable for one test.
class Variable {
 public:
  Variable(const char* name, const char* value) : name_(name) {
    const char* before = ::getenv(name);
    if (before != nullptr) before_ = before;
    set(value);
  }
  ~Variable() { set(before_ ? before_->c_str() : nullptr); }
  Variable(const Variable&) = delete;
  Variable& operator=(const Variable&) = delete;

 private:
  void set(const char* value) const {
    if (value == nullptr) {
      ::unsetenv(name_);
    } else {
      ::setenv(name_, value, 1);
    }
  }
  const char* name_;
  std::optional<std::string> before_;
};

}  // namespace

TEST_CASE("machine: secret files that are missing, empty, too large or no files are errors") {
  const ScratchDirectory directory;
  const std::string file = directory.path("secret");
  const std::string text = client_with("client_secret_file = '" + file + "'");
  const std::string before = "clients.\"a.b\".client_secret_file: ";
  CHECK(machine_report(text) == before + "cannot open " + file + ": No such file or directory\n");
  directory.write("secret", "");
  CHECK(machine_report(text) == before + "empty: " + file + "\n");
  directory.write("secret", "\n");
  CHECK(machine_report(text) == before + "empty: " + file + "\n");
  directory.write("secret", std::string(65537, 'x'));
  CHECK(machine_report(text) == before + "too large: " + file + "\n");
  directory.write("secret", std::string(65536, 'x'));
  CHECK(machine_report(text).empty());
  std::filesystem::remove(file);
  REQUIRE(::mkfifo(file.c_str(), 0600) == 0);
  CHECK(machine_report(text) == before + "expected a regular file at " + file + "\n");
}

TEST_CASE("machine: a secret file that may not be read is an error") {
  const ScratchDirectory directory;
  directory.write("secret", "s");
  REQUIRE(::chmod(directory.path("secret").c_str(), 0) == 0);
  if (::access(directory.path("secret").c_str(), R_OK) == 0) return;  // root may read everything
  CHECK(contains(machine_report(client_with("client_secret_file = '" + directory.path("secret") + "'")),
                 "Permission denied"));
}

TEST_CASE("machine: credentials are looked for where systemd puts them") {
  const ScratchDirectory directory;
  const std::string text = client_with("client_secret_credential = 'cred'");
  const std::string before = "clients.\"a.b\".client_secret_credential: ";
  {
    const Variable unset{"CREDENTIALS_DIRECTORY", nullptr};
    CHECK(contains(machine_report(text), before + "$CREDENTIALS_DIRECTORY is not set"));
  }
  const std::string where = directory.path("");
  const Variable set{"CREDENTIALS_DIRECTORY", where.c_str()};
  CHECK(contains(machine_report(text), before + "cannot open "));
  directory.write("cred", "secret");
  CHECK(machine_report(text).empty());
}

TEST_CASE("machine: variables that are unset or empty are errors") {
  const std::string text = client_with("client_secret_env = 'GRANTD_TEST_SECRET'");
  const std::string before =
      "clients.\"a.b\".client_secret_env: the environment variable GRANTD_TEST_SECRET is ";
  {
    const Variable unset{"GRANTD_TEST_SECRET", nullptr};
    CHECK(machine_report(text) == before + "not set\n");
  }
  {
    const Variable empty{"GRANTD_TEST_SECRET", ""};
    CHECK(machine_report(text) == before + "empty\n");
  }
  const Variable set{"GRANTD_TEST_SECRET", "s"};
  CHECK(machine_report(text).empty());
}

TEST_CASE("machine: CA files must be there and hold a certificate") {
  const ScratchDirectory directory;
  const std::string file = directory.path("ca.pem");
  const std::string text = client_with("client_secret = 's'\ntls_ca_file = '" + file + "'") +
                           "[apis.a]\nclient = 'a.b'\nbase_url = 'https://a.example'\ntls_ca_file = '" +
                           file + "'\n";
  CHECK(machine_report(text) == "clients.\"a.b\".tls_ca_file: cannot open " + file +
                                    ": No such file or directory\napis.a.tls_ca_file: cannot open " + file +
                                    ": No such file or directory\n");
  directory.write("ca.pem",
                  "-----BEGIN "
                  "PRIVATE KEY-----\n");
  CHECK(
      contains(machine_report(text), "clients.\"a.b\".tls_ca_file: no certificate in PEM format in " + file));
  directory.write("ca.pem", "# comment\n-----BEGIN CERTIFICATE-----\n");
  CHECK(machine_report(text).empty());
}

TEST_CASE("machine: unknown users and groups are errors, numeric ids are not") {
  CHECK(
      machine_report(
          "[daemon]\nadmin_users = ['root', 'no-such-user', 4294967294]\nsocket_group = 'no-such-group'\n") ==
      "daemon.admin_users: unknown user \"no-such-user\"\ndaemon.socket_group: unknown group "
      "\"no-such-group\"\n");
  CHECK(machine_report(
            client_with("client_secret = 's'\nallow_users = ['no-such-user', '7']\nallow_groups = ['root', "
                        "'no-such-group', 7]")) ==
        "clients.\"a.b\".allow_users: unknown user \"no-such-user\"\n"
        "clients.\"a.b\".allow_groups: unknown group \"no-such-group\"\n");
}
