#pragma once

#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/evp.h>

#include <memory>
#include <string>

namespace grantd::daemon {

/// Gives an OpenSSL object back by the function that is meant for it.
template <auto Function>
struct FreeWith {
  template <class T>
  void operator()(T* object) const {
    Function(object);
  }
};

using PrivateKey = std::unique_ptr<EVP_PKEY, FreeWith<&EVP_PKEY_free>>;
using KeyContext = std::unique_ptr<EVP_PKEY_CTX, FreeWith<&EVP_PKEY_CTX_free>>;
using BigNumber = std::unique_ptr<BIGNUM, FreeWith<&BN_clear_free>>;
using MemoryBio = std::unique_ptr<BIO, FreeWith<&BIO_free_all>>;

/// The newest entry of this thread's error queue as a sentence's end; empties the queue.
std::string take_openssl_error();

}  // namespace grantd::daemon
