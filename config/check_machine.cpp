// Text and machine are judged apart: a file that is not there yet must not keep a daemon from serving
// everything else, but whoever asks for a check wants to know.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <map>
#include <system_error>
#include <utility>

#include "common/secret.hpp"
#include "common/unique_fd.hpp"
#include "config/accounts.hpp"
#include "config/load.hpp"
#include "config/node.hpp"
#include "config/values.hpp"

namespace grantd::config {

namespace fs = std::filesystem;

namespace {

constexpr std::size_t largest_secret = std::size_t{64} << 10;
constexpr std::size_t largest_certificate_file = std::size_t{16} << 20;

/// Nothing where all is well, else what is wrong.
using Complaint = std::optional<std::string>;

/// The content of a regular file of at most `most` bytes.
Parsed<common::Secret> read_whole(const fs::path& path, std::size_t most) {
  const auto failure = [&path](std::string_view what) {
    return std::unexpected{std::string{what}.append(" ").append(path.string())};
  };
  const auto failure_of_call = [&](std::string_view what) {
    const std::string reason = std::generic_category().message(errno);
    return std::unexpected{std::string{what}.append(" ").append(path.string()).append(": ").append(reason)};
  };
  const common::UniqueFd fd{::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY)};
  if (!fd) return failure_of_call("cannot open");
  struct stat status{};
  if (::fstat(fd.get(), &status) != 0) return failure_of_call("cannot read");
  if (!S_ISREG(status.st_mode)) return failure("expected a regular file at");
  common::Secret content;
  std::vector<char, common::WipingAllocator<char>> block(16384);
  for (;;) {
    const ssize_t got = ::read(fd.get(), block.data(), block.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return failure_of_call("cannot read");
    if (got == 0) return content;
    content.append({block.data(), static_cast<std::size_t>(got)});
    if (content.size() > most) return failure("too large:");
  }
}

Complaint check_secret_file(const fs::path& path) {
  const auto content = read_whole(path, largest_secret);
  if (!content) return content.error();
  if (content->empty() || content->reveal() == "\n") return "empty: " + path.string();
  return std::nullopt;
}

struct SecretCheck {
  Complaint operator()(const FileSource& source) const { return check_secret_file(source.path); }
  Complaint operator()(const CredentialSource& source) const {
    const char* directory = ::secure_getenv("CREDENTIALS_DIRECTORY");
    if (directory == nullptr || *directory == '\0') {
      return "$CREDENTIALS_DIRECTORY is not set; credentials are there only in a service that systemd "
             "started";
    }
    return check_secret_file(fs::path{directory} / source.name);
  }
  Complaint operator()(const EnvironmentSource& source) const {
    const char* value = ::secure_getenv(source.variable.c_str());
    if (value == nullptr) return "the environment variable " + source.variable + " is not set";
    const std::string_view secret{value};
    if (secret.empty() || secret == "\n") return "the environment variable " + source.variable + " is empty";
    if (secret.size() > largest_secret)
      return "the environment variable " + source.variable + " is too large";
    return std::nullopt;
  }
  Complaint operator()(const InlineSource&) const { return std::nullopt; }
};

/// The key that names the source, `base` being what it is the source of.
std::string key_of(const SecretSource& source, std::string_view base) {
  constexpr std::string_view endings[] = {"_file", "_credential", "_env", ""};
  return std::string{base}.append(endings[source.index()]);
}

Complaint check_certificate_file(const fs::path& path) {
  const auto content = read_whole(path, largest_certificate_file);
  if (!content) return content.error();
  for (const std::string_view label :
       {"-----BEGIN CERTIFICATE-----", "-----BEGIN TRUSTED CERTIFICATE-----"}) {
    if (content->reveal().find(label) != std::string_view::npos) return std::nullopt;
  }
  return "no certificate in PEM format in " + path.string();
}

class MachineCheck {
 public:
  MachineCheck(const CredentialJudge& judge, Accounts& accounts) : judge_(judge), accounts_(accounts) {}

  void daemon(const DaemonSettings& daemon) {
    for (const std::string& user : daemon.admin_users) check_user(user, "daemon.admin_users");
    if (daemon.socket_group) check_group(*daemon.socket_group, "daemon.socket_group");
  }

  void cache(const CacheSettings& cache) {
    if (!cache.shared) return;
    source("cache", "password", cache.password);
    const std::size_t before = errors_.size();
    source("cache", "key", cache.key);
    if (errors_.size() == before && cache.key && judge_.cache_key) {
      report(join_key("cache", key_of(*cache.key, "key")), judge_.cache_key(cache));
    }
  }

  void client(const ClientSettings& client) {
    const std::string path = join_key("clients", client.name);
    const std::size_t before = errors_.size();
    source(path, "client_secret", client.client_secret);
    source(path, "private_key", client.private_key);
    file(path, "client_secret_next_file", client.client_secret_next_file);
    file(path, "private_key_passphrase_file", client.private_key_passphrase_file);
    file(path, "certificate_file", client.certificate_file);
    file(path, "client_assertion_file", client.client_assertion_file);
    // What cannot be read was told already.
    if (errors_.size() == before && judge_.client) {
      report(join_key(path, credential_key(client)), judge_.client(client));
    }
    const std::size_t before_key = errors_.size();
    source(path, "dpop_key", client.dpop_key);
    if (errors_.size() == before_key && client.dpop_key && judge_.dpop_key) {
      report(join_key(path, key_of(*client.dpop_key, "dpop_key")), judge_.dpop_key(client));
    }
    definition(path, client.access, client.tls);
  }

  void api(const ApiSettings& api) { definition(join_key("apis", api.name), api.access, api.tls); }

  std::vector<ConfigError> take() { return std::move(errors_); }

 private:
  static std::string credential_key(const ClientSettings& client) {
    if (client.client_assertion_file) return "client_assertion_file";
    if (client.private_key) return key_of(*client.private_key, "private_key");
    return client.client_secret ? key_of(*client.client_secret, "client_secret") : "tls_cert_file";
  }

  void source(const std::string& path, std::string_view base, const std::optional<SecretSource>& source) {
    if (source) report(join_key(path, key_of(*source, base)), std::visit(SecretCheck{}, *source));
  }
  void file(const std::string& path, std::string_view key, const std::optional<fs::path>& file) {
    if (file) report(join_key(path, key), check_secret_file(*file));
  }

  void definition(const std::string& path, const AccessSettings& access, const TlsSettings& tls) {
    const std::size_t before = errors_.size();
    if (tls.ca_file) report(join_key(path, "tls_ca_file"), check_certificate_file(*tls.ca_file));
    if (tls.cert_file) report(join_key(path, "tls_cert_file"), check_certificate_file(*tls.cert_file));
    file(path, "tls_key_file", tls.key_file);
    if (errors_.size() == before && tls.cert_file && judge_.certificate) {
      report(join_key(path, "tls_cert_file"), judge_.certificate(tls));
    }
    for (const std::string& user : access.users.value_or(std::vector<std::string>{})) {
      check_user(user, join_key(path, "allow_users"));
    }
    for (const std::string& group : access.groups.value_or(std::vector<std::string>{})) {
      check_group(group, join_key(path, "allow_groups"));
    }
  }

  void check_user(const std::string& name, std::string key) {
    if (!is_known(accounts_.users, name, find_user)) report(std::move(key), "unknown user \"" + name + "\"");
  }
  void check_group(const std::string& name, std::string key) {
    if (!is_known(accounts_.groups, name, find_group))
      report(std::move(key), "unknown group \"" + name + "\"");
  }

  // The same few names stand in many definitions, and each lookup may ask a server.
  template <class Id>
  static bool is_known(std::map<std::string, std::optional<Id>>& known, const std::string& name,
                       std::optional<Id> (*find)(const std::string&)) {
    if (parse_account_id(name)) return true;
    const auto [entry, is_new] = known.emplace(name, std::nullopt);
    if (is_new) entry->second = find(name);
    return entry->second.has_value();
  }

  void report(std::string key, Complaint complaint) {
    if (!complaint) return;
    errors_.push_back(
        {.file = {}, .line = 0, .column = 0, .key = std::move(key), .message = *std::move(complaint)});
  }

  const CredentialJudge& judge_;
  Accounts& accounts_;
  std::vector<ConfigError> errors_;
};

}  // namespace

std::vector<ConfigError> check_machine(const Settings& settings, const CredentialJudge& judge,
                                       Accounts& accounts) {
  MachineCheck check{judge, accounts};
  check.daemon(settings.daemon);
  check.cache(settings.cache);
  for (const auto& [_, client] : settings.clients) check.client(*client);
  for (const auto& [_, api] : settings.apis) check.api(*api);
  return check.take();
}

}  // namespace grantd::config
