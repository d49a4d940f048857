// OpenSSL keeps keys clean by itself, but not what it decrypts: records, and with them tokens, lie in its
// buffers.
#include "daemon/crypto/wiped_memory.hpp"

#include <malloc.h>
#include <openssl/crypto.h>
#include <string.h>

#include <algorithm>
#include <cstdlib>

namespace grantd::daemon {

namespace {

void* allocate(std::size_t size, const char*, int) { return std::malloc(size); }

void release(void* block, const char*, int) {
  if (block == nullptr) return;
  ::explicit_bzero(block, ::malloc_usable_size(block));
  std::free(block);
}

// realloc(3) may move a block and leave the old one as it was.
void* reallocate(void* block, std::size_t size, const char* file, int line) {
  if (block == nullptr) return std::malloc(size);
  if (size == 0) {
    release(block, file, line);
    return nullptr;
  }
  void* moved = std::malloc(size);
  if (moved == nullptr) return nullptr;
  ::memcpy(moved, block, std::min(size, ::malloc_usable_size(block)));
  release(block, file, line);
  return moved;
}

}  // namespace

void wipe_memory_freed_by_openssl() { CRYPTO_set_mem_functions(allocate, reallocate, release); }

}  // namespace grantd::daemon
