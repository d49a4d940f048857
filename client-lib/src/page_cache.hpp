#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "client-lib/src/fork_generation.hpp"
#include "client-lib/src/page_slot.hpp"
#include "client-lib/src/passed_page.hpp"
#include "grantd/token.hpp"

namespace grantd::detail {

/// Under what a token is remembered: the definition's name, and behind it what the request changes about it.
class PageKey {
 public:
  /// Of what the definition says itself.
  PageKey(std::string_view client) : name_(client) {}  // NOLINT(google-explicit-constructor): a name is one
  PageKey(std::string_view client, const TokenRequest& request);

  /// Valid as long as this and the name are. Two keys are the same if text and hash are: what is no name may
  /// read like a name with changes.
  PageSlot::Key in_slot() const;

 private:
  std::string_view name_;
  std::string changed_{};  // empty: nothing
};

/// The token pages of this process (docs/token-page.md). Reading one takes no system call and no lock, and
/// touches no word that another thread writes while no page is replaced. Callable from any thread and on both
/// sides of a fork: a child begins without pages.
class alignas(64) PageCache {
 public:
  /// As many pages as a process keeps, in all of its caches. Each takes two mappings, and another one for
  /// each time that its tokens outgrew it; a process may have 65,530 unless vm.max_map_count says otherwise.
  static constexpr std::size_t most_pages = 12'000;

  PageCache() = default;
  ~PageCache();
  PageCache(const PageCache&) = delete;
  PageCache& operator=(const PageCache&) = delete;

  /// The token under `key`, if its page is open and it is valid for `min_valid` nanoseconds more; false:
  /// there is none.
  bool find(const PageKey& key, std::int64_t min_valid, SlotReading& reading) noexcept;

  /// Gives the text of the same token to `copy`, which keeps nothing else of it. False: there is none, or
  /// what was copied is of no use.
  template <class Copy>
  bool copy(const PageKey& key, std::int64_t min_valid, const Copy& copy) {
    SlotReading reading;
    if (!find(key, min_valid, reading)) return false;
    copy(reading.text());
    return reading.is_whole();
  }

  /// Remembers the page for `find`, unless somebody else is at it. Where there is no room, it takes the place
  /// of one that is over, or of any.
  void keep(const PageKey& key, const PassedPage& page);

 private:
  /// Slots by the hash of their key. Every entry is empty or has the same slot for ever.
  struct Table;
  class WriterLock;

  struct Entry;
  /// One with a slot; null: there is no room.
  Entry* place_for(const PageSlot::Key& key, std::uint64_t generation);
  /// One that is over, or a new one, or any.
  PageSlot* spare_slot(std::uint64_t generation);
  bool grow();

  ForkGeneration generation_;
  std::atomic<Table*> table_ = nullptr;
  // The writer's.
  PageSlot* slots_ = nullptr;  // all of them
  static std::atomic<std::size_t> slots_of_all_;
  PageSlot* hand_ = nullptr;
  std::atomic<std::uint64_t> writer_ = 0;  // the generation of the one at work
};

}  // namespace grantd::detail
