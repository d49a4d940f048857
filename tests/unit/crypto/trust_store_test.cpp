#include "daemon/crypto/trust_store.hpp"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <sys/stat.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <future>
#include <string>
#include <thread>
#include <vector>

#include "common/unique_fd.hpp"
#include "daemon/crypto/openssl.hpp"

using namespace grantd;

namespace {

/// A PEM file with a certificate that vouches for nothing.
struct AuthorityFile {
  AuthorityFile() {
    const daemon::PrivateKey key{EVP_EC_gen("P-256")};
    const std::unique_ptr<X509, daemon::FreeWith<&X509_free>> certificate{X509_new()};
    X509_gmtime_adj(X509_getm_notBefore(certificate.get()), 0);
    X509_gmtime_adj(X509_getm_notAfter(certificate.get()), 3600);
    X509_set_pubkey(certificate.get(), key.get());
    REQUIRE(X509_sign(certificate.get(), key.get(), EVP_sha256()) > 0);
    const std::unique_ptr<FILE, int (*)(FILE*)> file{std::fopen(path.c_str(), "w"), &std::fclose};
    REQUIRE(PEM_write_X509(file.get(), certificate.get()) == 1);
  }
  ~AuthorityFile() { std::filesystem::remove(path); }
  AuthorityFile(const AuthorityFile&) = delete;
  AuthorityFile& operator=(const AuthorityFile&) = delete;

  std::filesystem::path path =
      std::filesystem::temp_directory_path() / ("grantd-authority-" + std::to_string(::getpid()));
};

}  // namespace

TEST_CASE("trust store: whoever names the same file while it is in use has the same one") {
  const AuthorityFile file;
  const auto first = daemon::trust_store(file.path);
  REQUIRE(first);
  CHECK(daemon::trust_store(file.path).value() == *first);
  CHECK(daemon::trust_store(std::nullopt).value() != *first);
}

TEST_CASE("trust store: a file that was changed is read again, and the one in use stays as it was") {
  const AuthorityFile file;
  const auto first = daemon::trust_store(file.path).value();
  std::ofstream{file.path, std::ios::app} << "\n";
  CHECK(daemon::trust_store(file.path).value() != first);
}

TEST_CASE("trust store: nobody who uses none keeps one") {
  const AuthorityFile file;
  const std::weak_ptr<x509_store_st> first = daemon::trust_store(file.path).value();
  CHECK(first.expired());
  CHECK(daemon::trust_store(file.path));
}

TEST_CASE("trust store: whoever comes at once has the same one") {
  const AuthorityFile file;
  std::vector<std::shared_ptr<x509_store_st>> stores(8);
  {
    std::vector<std::jthread> threads;
    for (auto& store : stores) threads.emplace_back([&] { store = daemon::trust_store(file.path).value(); });
  }
  for (const auto& store : stores) CHECK(store == stores.front());
}

TEST_CASE("trust store: a file without a certificate is refused by name") {
  const auto none = daemon::trust_store("/dev/null");
  REQUIRE_FALSE(none);
  CHECK(none.error().starts_with("tls_ca_file /dev/null cannot be used: "));
}

TEST_CASE("trust store: a file that takes its time holds nobody up who names another") {
  const AuthorityFile file;
  const std::string slow = file.path.string() + "-slow";
  REQUIRE(::mkfifo(slow.c_str(), 0600) == 0);
  auto reading = std::async(std::launch::async, [&slow] { return daemon::trust_store(slow).has_value(); });
  common::UniqueFd begun{::open(slow.c_str(), O_WRONLY | O_CLOEXEC)};  // once it is opened for reading
  CHECK(daemon::trust_store(file.path));
  CHECK(reading.wait_for(std::chrono::seconds{0}) == std::future_status::timeout);
  begun.reset();
  CHECK_FALSE(reading.get());
  std::filesystem::remove(slow);
}

TEST_CASE("trust store: what comes into one of several directories of the system's is noticed") {
  const auto root =
      std::filesystem::temp_directory_path() / ("grantd-authorities-" + std::to_string(::getpid()));
  for (const auto* name : {"a", "b"}) std::filesystem::create_directories(root / name);
  ::setenv("SSL_CERT_DIR", ((root / "a").string() + ":" + (root / "b").string()).c_str(), 1);
  const auto first = daemon::trust_store(std::nullopt).value();
  CHECK(daemon::trust_store(std::nullopt).value() == first);
  std::filesystem::last_write_time(root / "b",
                                   std::filesystem::file_time_type::clock::now() - std::chrono::hours{1});
  CHECK(daemon::trust_store(std::nullopt).value() != first);
  ::unsetenv("SSL_CERT_DIR");
  std::filesystem::remove_all(root);
}
