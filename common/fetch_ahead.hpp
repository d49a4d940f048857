#pragma once

#include <cstddef>

namespace grantd::common {

/// Of a long row of bytes: from there on the processor sees by itself what comes next.
inline constexpr std::size_t enough_ahead = 384;

/// Has the processor fetch memory that is looked at soon, without waiting for it: what is not in its caches
/// is then on its way all at once instead of one piece after the other. Any address will do.
inline void fetch_ahead(const void* begin, std::size_t size = 1) {
  constexpr std::size_t line = 64;
  const char* const first = static_cast<const char*>(begin);
  for (std::size_t at = 0; at < size; at += line) __builtin_prefetch(first + at);
}

}  // namespace grantd::common
