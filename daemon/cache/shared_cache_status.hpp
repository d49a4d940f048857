#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace grantd::daemon {

/// What `GET /v1/clients` tells of the cache that machines share.
struct SharedCacheStatus {
  enum class State {
    off,  // its keys cannot be used
    up,
    down,
  } state = State::off;
  /// What is wrong at present; empty: nothing.
  std::string last_error{};
};

constexpr std::string_view name(SharedCacheStatus::State state) {
  constexpr std::string_view names[] = {"off", "up", "down"};
  return names[static_cast<std::size_t>(state)];
}

}  // namespace grantd::daemon
