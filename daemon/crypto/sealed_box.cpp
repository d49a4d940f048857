// Messages are small, so each is one call. Whatever goes wrong while opening is the same to the caller: it is
// not what was sealed.
#include "daemon/crypto/sealed_box.hpp"

#include <openssl/core_names.h>
#include <openssl/kdf.h>
#include <openssl/params.h>

#include <array>
#include <stdexcept>
#include <vector>

#include "daemon/crypto/openssl.hpp"

namespace grantd::daemon {

namespace {

using CipherContext = std::unique_ptr<EVP_CIPHER_CTX, FreeWith<&EVP_CIPHER_CTX_free>>;
using Kdf = std::unique_ptr<EVP_KDF, FreeWith<&EVP_KDF_free>>;
using KdfContext = std::unique_ptr<EVP_KDF_CTX, FreeWith<&EVP_KDF_CTX_free>>;
using Bytes = std::vector<unsigned char, common::WipingAllocator<unsigned char>>;

const unsigned char* start_of(std::string_view bytes) {
  return reinterpret_cast<const unsigned char*>(bytes.data());
}
int length_of(std::string_view bytes) { return static_cast<int>(bytes.size()); }

std::string_view text_of(const Bytes& bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

void expect(bool done, const char* what) {
  if (!done) throw std::runtime_error{std::string{"OpenSSL cannot "} + what + ": " + take_openssl_error()};
}

void expect_key(const common::Secret& key) {
  if (key.size() != seal_key_size) throw std::runtime_error{"a sealing key has 32 bytes"};
}

}  // namespace

std::string seal(const common::Secret& key, std::string_view nonce, std::string_view associated,
                 std::string_view plain) {
  expect_key(key);
  const CipherContext context{EVP_CIPHER_CTX_new()};
  Bytes cipher(plain.size());
  std::array<unsigned char, seal_tag_size> tag{};
  int size = 0;
  expect(nonce.size() == seal_nonce_size && context &&
             EVP_EncryptInit_ex2(context.get(), EVP_aes_256_gcm(), start_of(key.reveal()), start_of(nonce),
                                 nullptr) == 1 &&
             EVP_EncryptUpdate(context.get(), nullptr, &size, start_of(associated), length_of(associated)) ==
                 1 &&
             EVP_EncryptUpdate(context.get(), cipher.data(), &size, start_of(plain), length_of(plain)) == 1 &&
             EVP_EncryptFinal_ex(context.get(), nullptr, &size) == 1 &&
             EVP_CIPHER_CTX_ctrl(context.get(), EVP_CTRL_AEAD_GET_TAG, seal_tag_size, tag.data()) == 1,
         "seal with AES-256-GCM");
  std::string sealed{nonce};
  sealed.append(text_of(cipher));
  sealed.append(reinterpret_cast<const char*>(tag.data()), tag.size());
  return sealed;
}

std::optional<common::Secret> open_sealed(const common::Secret& key, std::string_view associated,
                                          std::string_view sealed) {
  expect_key(key);
  if (sealed.size() < seal_nonce_size + seal_tag_size) return std::nullopt;
  const auto nonce = sealed.substr(0, seal_nonce_size);
  const auto cipher = sealed.substr(seal_nonce_size, sealed.size() - seal_nonce_size - seal_tag_size);
  std::string tag{sealed.substr(sealed.size() - seal_tag_size)};
  const CipherContext context{EVP_CIPHER_CTX_new()};
  Bytes plain(cipher.size());
  int size = 0;
  expect(context && EVP_DecryptInit_ex2(context.get(), EVP_aes_256_gcm(), start_of(key.reveal()),
                                        start_of(nonce), nullptr) == 1,
         "open with AES-256-GCM");
  const bool intact =
      EVP_DecryptUpdate(context.get(), nullptr, &size, start_of(associated), length_of(associated)) == 1 &&
      EVP_DecryptUpdate(context.get(), plain.data(), &size, start_of(cipher), length_of(cipher)) == 1 &&
      EVP_CIPHER_CTX_ctrl(context.get(), EVP_CTRL_AEAD_SET_TAG, seal_tag_size, tag.data()) == 1 &&
      EVP_DecryptFinal_ex(context.get(), nullptr, &size) == 1;
  if (!intact) {
    take_openssl_error();
    return std::nullopt;
  }
  return common::Secret{text_of(plain)};
}

common::Secret derive_key(const common::Secret& secret, std::string_view purpose) {
  const Kdf kdf{EVP_KDF_fetch(nullptr, "HKDF", nullptr)};
  const KdfContext context{kdf ? EVP_KDF_CTX_new(kdf.get()) : nullptr};
  std::string hash{"SHA256"};
  common::Secret key = secret.clone();
  std::string info{purpose};
  const OSSL_PARAM parameters[] = {
      OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, hash.data(), 0),
      OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_KEY, const_cast<char*>(key.reveal().data()),
                                        key.size()),
      OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_INFO, info.data(), info.size()),
      OSSL_PARAM_construct_end()};
  Bytes derived(seal_key_size);
  expect(context && EVP_KDF_derive(context.get(), derived.data(), derived.size(), parameters) == 1,
         "derive a key with HKDF");
  return common::Secret{text_of(derived)};
}

}  // namespace grantd::daemon
