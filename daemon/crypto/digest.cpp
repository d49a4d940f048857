// OpenSSL wipes the state of a digest when it frees it, so the bytes live on nowhere but with the caller.
#include "daemon/crypto/digest.hpp"

#include <openssl/evp.h>

#include <stdexcept>

namespace grantd::daemon {

Sha256 sha256(std::string_view bytes) {
  Sha256 digest{};
  unsigned int size = 0;
  auto* const out = reinterpret_cast<unsigned char*>(digest.data());
  if (EVP_Digest(bytes.data(), bytes.size(), out, &size, EVP_sha256(), nullptr) != 1 ||
      size != digest.size()) {
    throw std::runtime_error{"OpenSSL cannot compute SHA-256"};
  }
  return digest;
}

}  // namespace grantd::daemon
