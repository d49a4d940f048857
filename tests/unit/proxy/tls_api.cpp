// OpenSSL's own server side, so that what is tested is tested against something else than itself.
#include "tests/unit/proxy/tls_api.hpp"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <unistd.h>

#include <array>
#include <stdexcept>
#include <utility>

namespace grantd::tests {
namespace {

int choose_http1(SSL*, const unsigned char** out, unsigned char* size, const unsigned char* in,
                 unsigned in_size, void*) {
  static const unsigned char ours[] = "\x08http/1.1";
  unsigned char* chosen = nullptr;
  if (SSL_select_next_proto(&chosen, size, ours, sizeof ours - 1, in, in_size) != OPENSSL_NPN_NEGOTIATED) {
    return SSL_TLSEXT_ERR_ALERT_FATAL;
  }
  *out = chosen;
  return SSL_TLSEXT_ERR_OK;
}

X509* make_certificate(EVP_PKEY* key, const std::string& name) {
  X509* certificate = X509_new();
  X509_set_version(certificate, 2);
  ASN1_INTEGER_set(X509_get_serialNumber(certificate), 1);
  X509_gmtime_adj(X509_getm_notBefore(certificate), -3600);
  X509_gmtime_adj(X509_getm_notAfter(certificate), 3600);
  X509_set_pubkey(certificate, key);
  X509_NAME* subject = X509_get_subject_name(certificate);
  X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC, reinterpret_cast<const unsigned char*>("test"), -1,
                             -1, 0);
  X509_set_issuer_name(certificate, subject);
  for (const auto& [kind, value] :
       {std::pair{NID_subject_alt_name, name}, {NID_basic_constraints, "critical,CA:TRUE"}}) {
    X509_EXTENSION* extension = X509V3_EXT_conf_nid(nullptr, nullptr, kind, value.c_str());
    X509_add_ext(certificate, extension, -1);
    X509_EXTENSION_free(extension);
  }
  X509_sign(certificate, key, EVP_sha256());
  return certificate;
}

}  // namespace

TestCertificate::TestCertificate(const std::string& subject_alternative_name)
    : server_(SSL_CTX_new(TLS_server_method())) {
  EVP_PKEY* key = EVP_EC_gen("P-256");
  X509* certificate = make_certificate(key, subject_alternative_name);
  SSL_CTX_use_certificate(server_, certificate);
  SSL_CTX_use_PrivateKey(server_, key);
  SSL_CTX_set_alpn_select_cb(server_, choose_http1, nullptr);
  SSL_CTX_set_session_id_context(server_, reinterpret_cast<const unsigned char*>("test"), 4);

  std::string name = (std::filesystem::temp_directory_path() / "grantd-ca-XXXXXX").string();
  const int fd = ::mkstemp(name.data());
  if (fd < 0) throw std::runtime_error("mkstemp");
  FILE* file = ::fdopen(fd, "w");
  PEM_write_X509(file, certificate);
  std::fclose(file);
  file_ = name;
  X509_free(certificate);
  EVP_PKEY_free(key);
}

TestCertificate::~TestCertificate() {
  std::filesystem::remove(file_);
  SSL_CTX_free(server_);
}

TlsApiConnection::TlsApiConnection(const TestCertificate& certificate, int socket)
    : ssl_(SSL_new(certificate.server())) {
  SSL_set_fd(ssl_, socket);
  accepted_ = SSL_accept(ssl_) == 1;
}

std::string TlsApiConnection::server_name() const {
  const char* name = SSL_get_servername(ssl_, TLSEXT_NAMETYPE_host_name);
  return name == nullptr ? "" : name;
}

std::string TlsApiConnection::protocol() const {
  const unsigned char* name = nullptr;
  unsigned size = 0;
  SSL_get0_alpn_selected(ssl_, &name, &size);
  return {reinterpret_cast<const char*>(name), size};
}

bool TlsApiConnection::fill() {
  std::array<char, 16 * 1024> bytes;
  std::size_t got = 0;
  if (!accepted_ || SSL_read_ex(ssl_, bytes.data(), bytes.size(), &got) != 1) return false;
  input_.append(bytes.data(), got);
  return true;
}

std::string TlsApiConnection::read_message() {
  std::size_t head = std::string::npos;
  while ((head = input_.find("\r\n\r\n")) == std::string::npos) {
    if (!fill()) return {};
  }
  constexpr std::string_view field = "Content-Length: ";
  std::size_t size = head + 4;
  if (const auto at = input_.find(field); at != std::string::npos)
    size += std::stoul(input_.substr(at + field.size()));
  while (input_.size() < size && fill()) {
  }
  const std::string message = input_.substr(0, size);
  input_.erase(0, message.size());
  return message;
}

std::string TlsApiConnection::read_to_end(std::string_view end) {
  while (!input_.ends_with(end) && fill()) {
  }
  return input_;
}

void TlsApiConnection::read_until_size(std::size_t size) {
  while (input_.size() < input_.find("\r\n\r\n") + size && fill()) {
  }
}

bool TlsApiConnection::send(std::string_view bytes) {
  std::size_t sent = 0;
  return bytes.empty() || SSL_write_ex(ssl_, bytes.data(), bytes.size(), &sent) == 1;
}

}  // namespace grantd::tests
