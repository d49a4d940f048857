#include "daemon/crypto/trust_store.hpp"

#include <openssl/err.h>
#include <openssl/x509.h>
#include <openssl/x509_vfy.h>

#include <cstdlib>
#include <map>
#include <mutex>

#include "daemon/crypto/file_state.hpp"
#include "daemon/crypto/openssl.hpp"

namespace grantd::daemon {
namespace {

using Store = std::shared_ptr<X509_STORE>;

std::string system_path(const char* variable, const char* otherwise) {
  const char* named = ::secure_getenv(variable);
  return named != nullptr ? named : otherwise;
}

// A directory changes when a certificate is added to it or taken out.
std::string state_of_system() {
  return "system " +
         state_of_file(system_path(X509_get_default_cert_file_env(), X509_get_default_cert_file())) + " " +
         state_of_file(system_path(X509_get_default_cert_dir_env(), X509_get_default_cert_dir()));
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
  const std::lock_guard lock{mutex};
  const std::string state = ca_file ? "file " + state_of_file(*ca_file) : state_of_system();
  if (const auto found = known.find(state); found != known.end()) {
    if (auto store = found->second.lock()) return store;
  }
  auto store = read_store(ca_file);
  if (!store) return store;
  std::erase_if(known, [](const auto& entry) { return entry.second.expired(); });
  known[state] = *store;
  return store;
}

}  // namespace grantd::daemon
