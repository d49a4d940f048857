// The budget counts capacity rather than size, because capacity is what the machine must have.
#include "daemon/proxy/replay_buffer.hpp"

#include <algorithm>

namespace grantd::daemon {

void ReplayBuffer::record(std::span<const char> piece) {
  if (!whole_) return;
  if (piece.size() > limit_ - bytes_.size()) return drop();
  const std::size_t needed = bytes_.size() + piece.size();
  if (needed > taken_) {
    // Doubling, so that a body in many small pieces is not copied for each of them.
    const std::size_t capacity = std::max(needed, std::min(2 * taken_, limit_));
    if (capacity - taken_ > budget_->left) return drop();
    bytes_.reserve(capacity);
    budget_->left -= capacity - taken_;
    taken_ = capacity;
  }
  bytes_.insert(bytes_.end(), piece.begin(), piece.end());
}

void ReplayBuffer::drop() {
  budget_->left += taken_;
  taken_ = 0;
  whole_ = false;
  bytes_ = {};
}

}  // namespace grantd::daemon
