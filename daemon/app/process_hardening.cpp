// What a program that holds secrets must see to before it reads the first of them.
#include "daemon/app/process_hardening.hpp"

#include <malloc.h>
#include <openssl/crypto.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>

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

void harden_process() {
  ::prctl(PR_SET_DUMPABLE, 0);
  const rlimit no_core{.rlim_cur = 0, .rlim_max = 0};
  ::setrlimit(RLIMIT_CORE, &no_core);
  rlimit files{};
  if (::getrlimit(RLIMIT_NOFILE, &files) == 0) {
    files.rlim_cur = files.rlim_max;
    ::setrlimit(RLIMIT_NOFILE, &files);
  }
  ::umask(077);
  ::signal(SIGPIPE, SIG_IGN);
}

void wipe_memory_freed_by_openssl() { CRYPTO_set_mem_functions(allocate, reallocate, release); }

}  // namespace grantd::daemon
