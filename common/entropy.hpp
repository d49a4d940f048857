#pragma once

#include <cstddef>
#include <span>

namespace grantd::common {

/// Where randomness comes from; a seam, so that tests choose the jitter. Callable from any thread.
class Entropy {
 public:
  virtual ~Entropy() = default;
  /// Fills `bytes` with unpredictable bytes.
  virtual void fill(std::span<std::byte> bytes) = 0;
  /// A uniform number in [0, 1), for jitter.
  double uniform();
};

/// The kernel's generator, getrandom(2).
class SystemEntropy final : public Entropy {
 public:
  void fill(std::span<std::byte> bytes) override;
};

}  // namespace grantd::common
