#pragma once

#include <cstddef>
#include <cstring>
#include <memory>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

namespace grantd::daemon {

/// Memory for relaying, kept for the next request instead of being given back. Small blocks are what most
/// responses need, and there may be one for each call under way; large ones make long bodies cheap, because a
/// read then takes what the kernel has. Loop thread only.
class RelayMemory {
 public:
  static constexpr std::size_t small = std::size_t{8} * 1024;
  static constexpr std::size_t large = std::size_t{256} * 1024;
  /// In place of large ones while many of those are in use: with thousands of long bodies, memory counts for
  /// more than speed. Holds the longest head.
  static constexpr std::size_t medium = std::size_t{64} * 1024;
  using Block = std::unique_ptr<char[]>;

  /// What a block that is to be larger than `small` should have.
  std::size_t more_than_small() const { return large_in_use_ < most_large_in_use ? large : medium; }

  Block take(std::size_t size) {
    if (size == large) ++large_in_use_;
    auto* const spare = spare_of(size);
    // Not initialized: a page that no response reaches costs no memory.
    if (spare == nullptr || spare->empty()) return std::make_unique_for_overwrite<char[]>(size);
    Block block = std::move(spare->back());
    spare->pop_back();
    return block;
  }
  void give_back(Block block, std::size_t size) {
    if (size == large) --large_in_use_;
    auto* const spare = spare_of(size);
    if (spare != nullptr && spare->size() < (size == small ? most_small : most_large)) {
      spare->push_back(std::move(block));
    }
  }

 private:
  static constexpr std::size_t most_small = 512;
  static constexpr std::size_t most_large = 16;
  static constexpr std::size_t most_large_in_use = 64;
  std::vector<Block>* spare_of(std::size_t size) {
    if (size == medium) return nullptr;
    return size == small ? &small_ : &large_;
  }

  std::vector<Block> small_{};
  std::vector<Block> large_{};
  std::size_t large_in_use_ = 0;
};

/// What was read from an API and not yet dealt with: filled at the end, used up from the front. Begins small,
/// and becomes large when it was filled to the brim. Takes its memory at the first `space`, so that calls
/// which wait for their API do without.
class RelayBuffer {
 public:
  explicit RelayBuffer(std::shared_ptr<RelayMemory> memory) : memory_(std::move(memory)) {}
  ~RelayBuffer() {
    if (block_) memory_->give_back(std::move(block_), capacity_);
  }
  RelayBuffer(const RelayBuffer&) = delete;
  RelayBuffer& operator=(const RelayBuffer&) = delete;

  std::span<char> unused() { return {block_.get() + begin_, end_ - begin_}; }
  std::string_view text() const { return {block_.get() + begin_, end_ - begin_}; }
  std::size_t size() const { return end_ - begin_; }
  bool empty() const { return begin_ == end_; }
  bool full() const { return end_ == capacity_; }

  /// Where the next bytes go. Empty when `full`.
  std::span<char> space() {
    if (!block_) block_ = memory_->take(RelayMemory::small);
    return {block_.get() + end_, capacity_ - end_};
  }
  void filled(std::size_t size) {
    end_ += size;
    to_the_brim_ |= full();
  }
  /// The bytes stay where they are until `make_room` or `clear`.
  void consume(std::size_t size) { begin_ += size; }
  /// Moves what is unused to the front; views into the buffer end here. It is full afterwards only if it is
  /// not a small one.
  void make_room() {
    if (to_the_brim_ && capacity_ == RelayMemory::small) return enlarge();
    if (begin_ == 0) return;
    std::memmove(block_.get(), block_.get() + begin_, size());
    end_ -= begin_;
    begin_ = 0;
  }
  void clear() { begin_ = end_ = 0; }

 private:
  void enlarge() {
    const std::size_t capacity = memory_->more_than_small();
    RelayMemory::Block larger = memory_->take(capacity);
    std::memcpy(larger.get(), block_.get() + begin_, size());
    memory_->give_back(std::exchange(block_, std::move(larger)), capacity_);
    capacity_ = capacity;
    end_ -= begin_;
    begin_ = 0;
  }

  std::shared_ptr<RelayMemory> memory_;
  RelayMemory::Block block_{};
  std::size_t capacity_ = RelayMemory::small;
  std::size_t begin_ = 0;
  std::size_t end_ = 0;
  bool to_the_brim_ = false;
};

}  // namespace grantd::daemon
