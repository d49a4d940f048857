#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "client-lib/src/passed_page.hpp"
#include "client-lib/src/token_text.hpp"
#include "common/fetch_ahead.hpp"

namespace grantd::detail {

class PageSlot;

/// CLOCK_BOOTTIME, in nanoseconds.
std::int64_t boottime();

/// A token where it stands in a slot. It may be replaced at any moment: what was copied of it is of use only
/// if `is_whole` says so afterwards.
class SlotReading {
 public:
  const TokenText& text() const { return text_; }
  bool is_whole() const;

 private:
  friend class PageSlot;
  const PageSlot* slot_;
  std::uint64_t sequence_;
  TokenText text_;
};

/// Room for one token page in this process: of the page the state word that the daemon clears, mapped, and
/// beside it an own copy of the token and of what it is remembered under. Any number of readers, in any
/// thread, while one writer replaces what stands in it. Lives as long as anybody may read in it. On a cache
/// line of its own: no reader waits for what is written beside it.
class alignas(64) PageSlot {
 public:
  struct Key {
    std::string_view text;
    std::size_t hash;
  };

  explicit PageSlot(PageSlot* of_the_same_owner);
  PageSlot(const PageSlot&) = delete;
  PageSlot& operator=(const PageSlot&) = delete;
  ~PageSlot() = default;

  /// For `min_valid`: what the page says.
  static constexpr std::int64_t usual_validity = -1;

  /// The token under `key`, if its page is open and it is valid for `min_valid` nanoseconds more. False:
  /// there is none. `generation`: of this process, see ForkGeneration.
  bool read(const Key& key, std::int64_t min_valid, std::uint64_t generation, SlotReading& reading) const;

  PageSlot* const next;

  std::size_t hash() const { return hash_.load(std::memory_order_relaxed); }
  /// Has the processor fetch what `read` looks at in a slot's range. Where that has moved meanwhile, or the
  /// system's pages are larger ones, a little time is lost.
  static void fetch_ahead(std::uintptr_t range) {
    constexpr std::uintptr_t system_page = 4096;
    const auto* const place = reinterpret_cast<const char*>(range);  // NOLINT(performance-no-int-to-ptr)
    common::fetch_ahead(place);
    common::fetch_ahead(place + system_page, common::enough_ahead);
  }

  // The writer's.
  /// The address; at the beginning of one of the system's pages.
  std::uintptr_t range() const {
    return reinterpret_cast<std::uintptr_t>(range_.load(std::memory_order_relaxed));
  }
  bool holds(const Key& key, std::uint64_t generation) const;
  /// Whether nobody can read a token here any more.
  bool is_over(std::uint64_t generation) const;
  /// Puts a page in place of what stands here. On failure nothing of it stands here.
  void put(const Key& key, const PassedPage& page, std::uint64_t generation);
  /// Gives the memory back, where it is in this process. Before the end, when nobody reads any more.
  void unmap(std::uint64_t generation);

 private:
  friend class SlotReading;
  struct OwnCopy;
  struct Outgrown {
    char* range;
    std::size_t size;
    Outgrown* next;
  };

  const OwnCopy& own(const char* range) const;
  std::size_t own_size(std::size_t least, std::uint64_t generation) const;
  bool make_range(std::size_t size, std::uint64_t generation);
  bool replace(int descriptor, void* prepared, std::size_t size);

  const std::size_t memory_page_;
  /// Odd while the range is being replaced.
  std::atomic<std::uint64_t> sequence_ = 0;
  /// Of the process in which a page stands here; 0: none does.
  std::atomic<std::uint64_t> generation_ = 0;
  std::atomic<std::size_t> hash_ = 0;
  std::atomic<char*> range_ = nullptr;
  // The writer's.
  std::uint64_t home_ = 0;  // of the process in which the range is
  std::size_t range_size_ = 0;
  std::atomic<Outgrown*> outgrown_ = nullptr;
};

inline bool SlotReading::is_whole() const {
  std::atomic_thread_fence(std::memory_order_acquire);
  return slot_->sequence_.load(std::memory_order_relaxed) == sequence_;
}

}  // namespace grantd::detail
