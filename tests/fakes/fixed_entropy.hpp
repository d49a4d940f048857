#pragma once

#include <algorithm>

#include "common/entropy.hpp"

namespace grantd::tests {

/// Every byte the same: `uniform()` is close to byte/256, so that a test chooses the jitter.
class FixedEntropy final : public common::Entropy {
 public:
  explicit FixedEntropy(std::byte value = std::byte{0}) : value_(value) {}
  void fill(std::span<std::byte> bytes) override { std::ranges::fill(bytes, value_); }
  void set(std::byte value) { value_ = value; }

 private:
  std::byte value_;
};

}  // namespace grantd::tests
