#pragma once

#include <cstddef>
#include <cstring>
#include <memory>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

namespace grantd::daemon {

/// Memory for relaying, kept for the next request instead of being given back. Loop thread only.
struct RelayMemory {
  static constexpr std::size_t block_size = std::size_t{64} * 1024;
  static constexpr std::size_t max_spare = 32;
  using Block = std::unique_ptr<char[]>;

  std::vector<Block> spare{};

  Block take() {
    // Not initialized: a page that no response reaches costs no memory.
    if (spare.empty()) return std::make_unique_for_overwrite<char[]>(block_size);
    Block block = std::move(spare.back());
    spare.pop_back();
    return block;
  }
  void give_back(Block block) {
    if (spare.size() < max_spare) spare.push_back(std::move(block));
  }
};

/// What was read from an API and not yet dealt with: filled at the end, used up from the front.
class RelayBuffer {
 public:
  explicit RelayBuffer(std::shared_ptr<RelayMemory> memory)
      : memory_(std::move(memory)), block_(memory_->take()) {}
  ~RelayBuffer() { memory_->give_back(std::move(block_)); }
  RelayBuffer(const RelayBuffer&) = delete;
  RelayBuffer& operator=(const RelayBuffer&) = delete;

  std::span<const char> unused() const { return {block_.get() + begin_, end_ - begin_}; }
  std::string_view text() const { return {block_.get() + begin_, end_ - begin_}; }
  bool empty() const { return begin_ == end_; }
  bool full() const { return end_ == RelayMemory::block_size; }

  /// Where the next bytes go. Empty when `full`.
  std::span<char> space() { return {block_.get() + end_, RelayMemory::block_size - end_}; }
  void filled(std::size_t size) { end_ += size; }
  /// The bytes stay where they are until `make_room` or `clear`.
  void consume(std::size_t size) { begin_ += size; }
  /// Moves what is unused to the front; views into the buffer end here.
  void make_room() {
    if (begin_ == 0) return;
    std::memmove(block_.get(), block_.get() + begin_, end_ - begin_);
    end_ -= begin_;
    begin_ = 0;
  }
  void clear() { begin_ = end_ = 0; }

 private:
  std::shared_ptr<RelayMemory> memory_;
  RelayMemory::Block block_;
  std::size_t begin_ = 0;
  std::size_t end_ = 0;
};

}  // namespace grantd::daemon
