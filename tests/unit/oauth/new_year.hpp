#pragma once

#include "common/clock.hpp"

namespace grantd::tests {

/// The wall clock's reading in tests that need one; 1767225600 in seconds of the epoch.
inline constexpr common::WallTime new_year = std::chrono::sys_days{std::chrono::year{2026} / 1 / 1};

}  // namespace grantd::tests
