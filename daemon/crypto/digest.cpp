// OpenSSL wipes the state of a digest when it frees it, so the bytes live on nowhere but with the caller.
#include "daemon/crypto/digest.hpp"

#include <stdexcept>

#include "daemon/crypto/openssl.hpp"

namespace grantd::daemon {

Sha256 sha256(std::string_view bytes) { return sha256(std::initializer_list{bytes}); }

Sha256 sha256(std::initializer_list<std::string_view> parts) {
  const std::unique_ptr<EVP_MD_CTX, FreeWith<&EVP_MD_CTX_free>> context{EVP_MD_CTX_new()};
  bool done = context && EVP_DigestInit_ex(context.get(), EVP_sha256(), nullptr) == 1;
  for (const std::string_view part : parts)
    done = done && EVP_DigestUpdate(context.get(), part.data(), part.size()) == 1;
  Sha256 digest{};
  unsigned int size = 0;
  auto* const out = reinterpret_cast<unsigned char*>(digest.data());
  if (!done || EVP_DigestFinal_ex(context.get(), out, &size) != 1 || size != digest.size())
    throw std::runtime_error{"OpenSSL cannot compute SHA-256"};
  return digest;
}

}  // namespace grantd::daemon
