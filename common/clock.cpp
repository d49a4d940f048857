// std::chrono has no CLOCK_BOOTTIME; both readings go through the vDSO and cost no system call.
#include "common/clock.hpp"

#include <ctime>

namespace grantd::common {

BootTime SystemClock::now() const {
  timespec reading{};
  ::clock_gettime(CLOCK_BOOTTIME, &reading);
  return BootTime{std::chrono::seconds{reading.tv_sec} + std::chrono::nanoseconds{reading.tv_nsec}};
}

WallTime SystemClock::wall_now() const { return std::chrono::system_clock::now(); }

}  // namespace grantd::common
