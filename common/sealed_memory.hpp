#pragma once

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <cstddef>
#include <optional>

#include "common/unique_fd.hpp"

#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 0x0008U  // Linux 6.3
#endif

/// Anonymous memory that a descriptor stands for (memfd_create(2)).
namespace grantd::common {

/// `size` bytes of zeros, allocated, that only this user may open again, with `seals`. On failure none, and
/// errno.
inline UniqueFd make_sealed_memory(const char* name, std::size_t size, int seals) {
  constexpr unsigned int flags = MFD_CLOEXEC | MFD_ALLOW_SEALING;
  UniqueFd made{::memfd_create(name, flags | MFD_NOEXEC_SEAL)};
  if (!made && errno == EINVAL) made.reset(::memfd_create(name, flags));
  if (!made) return {};
  // Allocated at once: memory that is missing shows here, not as a signal when it is first touched.
  if (::fchmod(made.get(), 0600) != 0 || ::fallocate(made.get(), 0, 0, static_cast<off_t>(size)) != 0 ||
      ::fcntl(made.get(), F_ADD_SEALS, seals) != 0) {
    const int failure = errno;
    made.reset();
    errno = failure;
  }
  return made;
}

/// Size of what the descriptor stands for, where it is such memory and has the seals; else nothing.
inline std::optional<std::size_t> sealed_size(int descriptor, int seals) {
  const int found = ::fcntl(descriptor, F_GET_SEALS);
  struct stat about{};
  if (found < 0 || (found & seals) != seals || ::fstat(descriptor, &about) != 0 || about.st_size <= 0)
    return {};
  return static_cast<std::size_t>(about.st_size);
}

/// Shared, not in core files, not in a forked child. Null on failure, and errno.
inline void* map_sealed_memory(int descriptor, std::size_t size, int protection) {
  void* base = ::mmap(nullptr, size, protection, MAP_SHARED, descriptor, 0);
  if (base == MAP_FAILED) return nullptr;
  ::madvise(base, size, MADV_DONTDUMP);
  ::madvise(base, size, MADV_DONTFORK);
  return base;
}

/// Keeps a mapping out of swap for as long as it lasts, as far as RLIMIT_MEMLOCK goes. (Not by mlock(2),
/// which the sanitizers leave undone.)
inline bool lock_sealed_memory(const void* base, std::size_t size) { return ::mlock2(base, size, 0) == 0; }

}  // namespace grantd::common
