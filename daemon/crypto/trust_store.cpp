#include "daemon/crypto/trust_store.hpp"

#include <openssl/err.h>
#include <openssl/x509.h>
#include <openssl/x509_vfy.h>

#include <cstdlib>
#include <map>
#include <mutex>
#include <ranges>
#include <string_view>

#include "daemon/crypto/file_state.hpp"
#include "daemon/crypto/openssl.hpp"

namespace grantd::daemon {
namespace {

using Store = std::shared_ptr<X509_STORE>;

std::string system_path(const char* variable, const char* otherwise) {
  const char* named = ::secure_getenv(variable);
  return named != nullptr ? named : otherwise;
}

// A directory changes when a certificate is added to it or taken out. There may be several, divided by
// colons.
std::string state_of_system() {
  std::string state = "system";
  const std::string file = system_path(X509_get_default_cert_file_env(), X509_get_default_cert_file());
  const std::string directories = system_path(X509_get_default_cert_dir_env(), X509_get_default_cert_dir());
  state.append("\n").append(state_of_file(file));
  for (const auto directory : std::views::split(directories, ':'))
    state.append("\n").append(state_of_file(std::string_view{directory}));
  return state;
}

std::expected<Store, std::string> read_store(const std::optional<std::filesystem::path>& ca_file) {
  ERR_clear_error();
  Store store{X509_STORE_new(), FreeWith<&X509_STORE_free>{}};
  if (!store) return std::unexpected("TLS could not be set up: " + take_openssl_error());
  if (!ca_file) {
    X509_STORE_set_default_paths(store.get());
    ERR_clear_error();
  } else if (X509_STORE_load_file(store.get(), ca_file->c_str()) != 1) {
    return std::unexpected("tls_ca_file " + ca_file->string() + " cannot be used: " + take_openssl_error() +
                           "; it must be a readable PEM file with at least one certificate");
  }
  return store;
}

}  // namespace

std::expected<std::shared_ptr<X509_STORE>, std::string> trust_store(
    const std::optional<std::filesystem::path>& ca_file) {
  static std::mutex mutex;
  static std::map<std::string, std::weak_ptr<X509_STORE>> known;
  const std::string state = ca_file ? "file\n" + state_of_file(*ca_file) : state_of_system();
  const auto find = [&state]() -> Store {
    const auto found = known.find(state);
    return found == known.end() ? nullptr : found->second.lock();
  };
  {
    const std::lock_guard lock{mutex};
    if (auto store = find()) return store;
  }
  // A file that cannot be read soon, over a network say, is to hold nobody else up.
  auto store = read_store(ca_file);
  if (!store) return store;
  const std::lock_guard lock{mutex};
  if (auto other = find()) return other;
  std::erase_if(known, [](const auto& entry) { return entry.second.expired(); });
  known[state] = *store;
  return store;
}

}  // namespace grantd::daemon
