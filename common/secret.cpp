// The comparison never stops early, so that its duration tells nothing about the characters.
#include "common/secret.hpp"

namespace grantd::common {

bool Secret::same_as(const Secret& other) const {
  if (size() != other.size()) return false;
  unsigned difference = 0;
  for (std::size_t i = 0; i < size(); ++i) {
    difference |=
        static_cast<unsigned char>(characters_[i]) ^ static_cast<unsigned char>(other.characters_[i]);
  }
  return difference == 0;
}

[[gnu::noinline]] void wipe_stack() {
  char used[128 * 1024];
  ::explicit_bzero(used, sizeof used);
}

}  // namespace grantd::common
