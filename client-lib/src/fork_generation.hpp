#pragma once

#include <atomic>
#include <cstdint>

namespace grantd::detail {

/// Tells the two sides of a fork apart without a system call: a number that is another one in a child process
/// than in its parent, and another one again in the child's child. Callable from any thread.
class ForkGeneration {
 public:
  ForkGeneration();
  ~ForkGeneration();
  ForkGeneration(const ForkGeneration&) = delete;
  ForkGeneration& operator=(const ForkGeneration&) = delete;

  std::uint64_t current();

 private:
  std::atomic<std::uint64_t>* page_ = nullptr;  // memory that the kernel empties in a child
  std::atomic<std::uint64_t> last_ = 1;         // ordinary memory: a child goes on counting
};

}  // namespace grantd::detail
