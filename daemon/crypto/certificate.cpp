#include "daemon/crypto/certificate.hpp"

#include <openssl/pem.h>
#include <openssl/x509.h>

#include <array>
#include <span>

#include "daemon/crypto/base64url.hpp"

namespace grantd::daemon {

namespace {

using Certificate = std::unique_ptr<X509, FreeWith<&X509_free>>;

std::string digest_of(const X509* certificate, const EVP_MD* hash) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned int size = 0;
  X509_digest(certificate, hash, digest.data(), &size);
  return base64url_encode(std::as_bytes(std::span{digest}.first(size)));
}

Certificate first_certificate(std::string_view pem) {
  const MemoryBio bio{BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size()))};
  Certificate certificate{PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr)};
  if (!certificate) take_openssl_error();
  return certificate;
}

}  // namespace

std::expected<CertificateThumbprints, std::string> thumbprints_of(std::string_view pem, const EVP_PKEY* key) {
  const Certificate certificate = first_certificate(pem);
  if (!certificate) return std::unexpected{"is no certificate in PEM format"};
  if (EVP_PKEY_eq(X509_get0_pubkey(certificate.get()), key) != 1) {
    take_openssl_error();
    return std::unexpected{"is a certificate of another key than the private one"};
  }
  return CertificateThumbprints{.sha1 = digest_of(certificate.get(), EVP_sha1()),
                                .sha256 = digest_of(certificate.get(), EVP_sha256())};
}

std::optional<std::string> certificate_thumbprint(std::string_view pem) {
  const Certificate certificate = first_certificate(pem);
  if (!certificate) return std::nullopt;
  return digest_of(certificate.get(), EVP_sha256());
}

}  // namespace grantd::daemon
