#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

namespace grantd::daemon {

/// Large buffers that connections borrow while they need one, so that an idle connection holds next to
/// nothing.
class BufferPool {
 public:
  static constexpr std::size_t large = 256 * 1024;

  std::unique_ptr<char[]> take();
  void give_back(std::unique_ptr<char[]> buffer);

 private:
  static constexpr std::size_t most_kept = 32;
  std::vector<std::unique_ptr<char[]>> kept_;
};

/// What was received and not used yet, at the end of what may still be referred to. Its bytes may hold an
/// assertion, so they are wiped once they are no longer needed.
class InputBuffer {
 public:
  static constexpr std::size_t small = 1024;

  explicit InputBuffer(BufferPool& pool) : pool_(&pool) {}
  ~InputBuffer() { release(); }
  InputBuffer(const InputBuffer&) = delete;
  InputBuffer& operator=(const InputBuffer&) = delete;

  std::span<char> pending() { return {memory_.get() + begin_, end_ - begin_}; }
  std::span<const char> pending() const { return {memory_.get() + begin_, end_ - begin_}; }
  std::string_view text() const { return {memory_.get() + begin_, end_ - begin_}; }
  void consume(std::size_t size) { begin_ += size; }

  /// Where more can be received; may move what is pending, but nothing before the mark.
  std::span<char> room();
  void received(std::size_t size) { end_ += size; }
  bool has_room() const { return !memory_ || end_ - begin_ < capacity_ - mark_; }

  /// What was consumed so far stays where it is until `unmark`.
  void mark() { mark_ = begin_; }
  void unmark() { mark_ = 0; }

  /// Makes it a large one; moves everything, so nothing may be referred to.
  void enlarge();
  /// Takes over what is pending in `other`.
  void take_pending(InputBuffer& other);
  void swap(InputBuffer& other) noexcept;
  /// Wipes it where nothing is pending, and makes it a small one again.
  void rest();
  /// Gives the memory back.
  void release();

 private:
  void allocate(std::size_t capacity);

  BufferPool* pool_;
  std::unique_ptr<char[]> memory_;
  std::size_t capacity_ = 0;
  std::size_t mark_ = 0;
  std::size_t begin_ = 0;
  std::size_t end_ = 0;
  std::size_t used_ = 0;  // what has to be wiped: the furthest any byte was received to
};

}  // namespace grantd::daemon
