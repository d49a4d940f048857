// Two sizes are enough: a small one in which a connection waits for its next request, and one that holds the
// largest head and makes the reading of large bodies cheap.
#include "daemon/server/input_buffer.hpp"

#include <string.h>

#include <algorithm>
#include <cstring>
#include <utility>

namespace grantd::daemon {

std::unique_ptr<char[]> BufferPool::take() {
  if (kept_.empty()) return std::make_unique_for_overwrite<char[]>(large);
  auto buffer = std::move(kept_.back());
  kept_.pop_back();
  return buffer;
}

void BufferPool::give_back(std::unique_ptr<char[]> buffer) {
  if (kept_.size() < most_kept) kept_.push_back(std::move(buffer));
}

void InputBuffer::allocate(std::size_t capacity) {
  memory_ = capacity == BufferPool::large ? pool_->take() : std::make_unique_for_overwrite<char[]>(capacity);
  capacity_ = capacity;
}

std::span<char> InputBuffer::room() {
  if (!memory_) allocate(small);
  used_ = std::max(used_, end_);
  if (begin_ > mark_ && (begin_ == end_ || end_ == capacity_)) {
    std::memmove(memory_.get() + mark_, memory_.get() + begin_, end_ - begin_);
    end_ = mark_ + (end_ - begin_);
    begin_ = mark_;
  }
  return {memory_.get() + end_, capacity_ - end_};
}

void InputBuffer::enlarge() {
  InputBuffer larger{*pool_};
  larger.allocate(BufferPool::large);
  larger.take_pending(*this);
  swap(larger);
}

void InputBuffer::take_pending(InputBuffer& other) {
  if (!memory_) allocate(BufferPool::large);
  const auto bytes = other.pending();
  if (!bytes.empty()) std::memcpy(memory_.get() + end_, bytes.data(), bytes.size());
  end_ += bytes.size();
  other.consume(bytes.size());
}

void InputBuffer::swap(InputBuffer& other) noexcept {
  std::swap(memory_, other.memory_);
  std::swap(capacity_, other.capacity_);
  std::swap(mark_, other.mark_);
  std::swap(begin_, other.begin_);
  std::swap(end_, other.end_);
  std::swap(used_, other.used_);
}

void InputBuffer::rest() {
  if (begin_ != end_) return;
  if (capacity_ > small) return release();
  used_ = std::max(used_, end_);
  if (memory_) ::explicit_bzero(memory_.get(), used_);
  mark_ = begin_ = end_ = used_ = 0;
}

void InputBuffer::release() {
  used_ = std::max(used_, end_);
  if (memory_) ::explicit_bzero(memory_.get(), used_);
  if (capacity_ == BufferPool::large) pool_->give_back(std::move(memory_));
  memory_.reset();
  capacity_ = mark_ = begin_ = end_ = used_ = 0;
}

}  // namespace grantd::daemon
