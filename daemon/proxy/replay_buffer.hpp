#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <vector>

namespace grantd::daemon {

/// Memory that all replay buffers of the daemon may take together.
struct ReplayBudget {
  std::size_t left = std::size_t{64} << 20;
};

/// Keeps what was read of a request's body, so that it can be sent once more; gives up for good when a body
/// outgrows its limit or the budget. Loop thread only.
class ReplayBuffer {
 public:
  ReplayBuffer(std::shared_ptr<ReplayBudget> budget, std::size_t limit)
      : budget_(std::move(budget)), limit_(limit) {}
  ~ReplayBuffer() { drop(); }
  ReplayBuffer(const ReplayBuffer&) = delete;
  ReplayBuffer& operator=(const ReplayBuffer&) = delete;

  void record(std::span<const char> piece);
  /// Everything recorded; valid until the next `record` or `drop`.
  std::span<const char> bytes() const { return bytes_; }
  /// Whether `bytes` is all that was recorded.
  bool whole() const { return whole_; }
  /// Gives the memory back; from then on nothing is kept.
  void drop();

 private:
  std::shared_ptr<ReplayBudget> budget_;
  std::size_t limit_;
  std::size_t taken_ = 0;  // from the budget
  std::vector<char> bytes_;
  bool whole_ = true;
};

}  // namespace grantd::daemon
