// getrandom(2) never fails once the kernel's pool is seeded; a failure means that nothing here can be
// trusted.
#include "common/entropy.hpp"

#include <sys/random.h>

#include <cerrno>
#include <cstdint>
#include <cstdlib>

namespace grantd::common {

double Entropy::uniform() {
  std::uint64_t bits = 0;
  fill(std::as_writable_bytes(std::span{&bits, 1}));
  constexpr double two_to_minus_53 = 1.0 / 9007199254740992.0;
  return static_cast<double>(bits >> 11) * two_to_minus_53;
}

void SystemEntropy::fill(std::span<std::byte> bytes) {
  while (!bytes.empty()) {
    const ssize_t got = ::getrandom(bytes.data(), bytes.size(), 0);
    if (got < 0) {
      if (errno == EINTR) continue;
      std::abort();
    }
    bytes = bytes.subspan(static_cast<std::size_t>(got));
  }
}

}  // namespace grantd::common
