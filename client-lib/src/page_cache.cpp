// Open addressing without removal: what is over is not taken out but written over. A slot that is used again
// for another key may stay in its former place as well, where nobody finds it any more: its hash says so. A
// table that has become too small is left where it is, for somebody may be reading in it; all of them
// together are smaller than the last one twice over.
#include "client-lib/src/page_cache.hpp"

#include <algorithm>
#include <functional>
#include <limits>
#include <memory>
#include <new>

#include "client-lib/src/token_call.hpp"

namespace grantd::detail {
namespace {

constexpr std::size_t least_entries = 16;
constexpr std::size_t longest_search = 32;

}  // namespace

PageKey::PageKey(std::string_view client, const TokenRequest& request) : name_(client) {
  if (request.scope.empty() && request.resource.empty() && request.audience.empty() &&
      request.parameters.empty())
    return;
  const TokenRequest what{.scope = request.scope,
                          .resource = request.resource,
                          .audience = request.audience,
                          .parameters = request.parameters};
  changed_.append(client).append("\n").append(token_request({}, what).json.reveal());
}

PageSlot::Key PageKey::in_slot() const {
  const std::hash<std::string_view> hash;
  if (changed_.empty()) return {.text = name_, .hash = hash(name_)};
  return {.text = changed_, .hash = ~hash(changed_)};
}

/// A slot, and what a reader would otherwise have to look for in it: an entry whose hint is of another hash
/// is passed over without a look at the slot; else slot and range are fetched at once. The entry by which a
/// slot was written last has the slot's hash. Another one with the same slot may have an older one: nobody
/// finds the slot there. For a moment, and without harm, a hint may say less than the slot.
struct PageCache::Entry {
  std::atomic<PageSlot*> slot = nullptr;
  std::atomic<std::uintptr_t> hint = 0;  // where the slot's range is, and in its low bits some of the hash

  static constexpr int hint_bits = 12;
  static constexpr std::uintptr_t hint_mask = (std::uintptr_t{1} << hint_bits) - 1;
  static std::uintptr_t hint_of(std::size_t hash) {
    return hash >> (std::numeric_limits<std::size_t>::digits - hint_bits);
  }
  void set_hint() {
    const PageSlot* const here = slot.load(std::memory_order_relaxed);
    hint.store((here->range() & ~hint_mask) | hint_of(here->hash()), std::memory_order_relaxed);
  }
};

struct PageCache::Table {
  explicit Table(std::size_t entries_count, Table* earlier)
      : mask(entries_count - 1), before(earlier), entries(std::make_unique<Entry[]>(entries_count)) {}

  Entry& at(std::size_t hash, std::size_t step) { return entries[(hash + step) & mask]; }
  std::size_t search() const { return std::min(longest_search, mask + 1); }
  void add(PageSlot* slot) {
    for (std::size_t step = 0; step < search(); ++step) {
      Entry& entry = at(slot->hash(), step);
      if (entry.slot.load(std::memory_order_relaxed) != nullptr) continue;
      entry.slot.store(slot, std::memory_order_release);
      entry.set_hint();
      ++used;
      return;
    }
  }

  const std::size_t mask;
  Table* const before;
  const std::unique_ptr<Entry[]> entries;
  std::size_t used = 0;
};

/// One writer at a time; nobody waits. One that was at work in the parent of a forked child is not there any
/// more.
class PageCache::WriterLock {
 public:
  WriterLock(std::atomic<std::uint64_t>& writer, std::uint64_t generation) : writer_(writer) {
    std::uint64_t holder = writer_.load(std::memory_order_relaxed);
    held_ = holder != generation &&
            writer_.compare_exchange_strong(holder, generation, std::memory_order_acquire);
  }
  ~WriterLock() {
    if (held_) writer_.store(0, std::memory_order_release);
  }
  WriterLock(const WriterLock&) = delete;
  WriterLock& operator=(const WriterLock&) = delete;

  bool held() const { return held_; }

 private:
  std::atomic<std::uint64_t>& writer_;
  bool held_;
};

constinit std::atomic<std::size_t> PageCache::slots_of_all_ = 0;

PageCache::~PageCache() {
  const std::uint64_t generation = generation_.current();
  while (slots_ != nullptr) {
    const std::unique_ptr<PageSlot> slot{slots_};
    slots_ = slot->next;
    slot->unmap(generation);
    slots_of_all_.fetch_sub(1, std::memory_order_relaxed);
  }
  for (Table* table = table_.load(std::memory_order_acquire); table != nullptr;) {
    const std::unique_ptr<Table> owned{table};
    table = table->before;
  }
}

bool PageCache::find(const PageKey& key, std::int64_t min_valid, SlotReading& reading) noexcept {
  Table* const table = table_.load(std::memory_order_acquire);
  if (table == nullptr) return false;
  const PageSlot::Key wanted = key.in_slot();
  for (std::size_t step = 0; step < table->search(); ++step) {
    const Entry& entry = table->at(wanted.hash, step);
    const PageSlot* slot = entry.slot.load(std::memory_order_acquire);
    if (slot == nullptr) break;
    const std::uintptr_t hint = entry.hint.load(std::memory_order_relaxed);
    if ((hint & Entry::hint_mask) != Entry::hint_of(wanted.hash)) continue;
    PageSlot::fetch_ahead(hint & ~Entry::hint_mask);
    if (slot->hash() != wanted.hash) continue;
    if (slot->read(wanted, min_valid, generation_.current(), reading)) return true;
  }
  return false;
}

void PageCache::keep(const PageKey& key, const PassedPage& page) {
  const std::uint64_t generation = generation_.current();
  const WriterLock lock{writer_, generation};
  if (!lock.held()) return;
  const PageSlot::Key kept = key.in_slot();
  Entry* const entry = place_for(kept, generation);
  if (entry == nullptr) return;
  entry->slot.load(std::memory_order_relaxed)->put(kept, page, generation);
  entry->set_hint();
}

PageCache::Entry* PageCache::place_for(const PageSlot::Key& key, std::uint64_t generation) {
  if (table_.load(std::memory_order_relaxed) == nullptr && !grow()) return nullptr;
  while (true) {
    Table& table = *table_.load(std::memory_order_relaxed);
    Entry* over = nullptr;
    Entry* empty = nullptr;
    for (std::size_t step = 0; step < table.search() && empty == nullptr; ++step) {
      Entry& entry = table.at(key.hash, step);
      const PageSlot* const slot = entry.slot.load(std::memory_order_relaxed);
      if (slot == nullptr) {
        empty = &entry;
      } else if (slot->holds(key, generation)) {
        return &entry;
      } else if (over == nullptr && slot->is_over(generation)) {
        over = &entry;
      }
    }
    if (over != nullptr) return over;
    const bool crowded = table.used * 2 > table.mask || empty == nullptr;
    if (crowded && table.mask + 1 < most_pages * 2 && grow()) continue;
    if (empty == nullptr) return &table.at(key.hash, 0);
    PageSlot* const slot = spare_slot(generation);
    if (slot == nullptr) return nullptr;
    empty->slot.store(slot, std::memory_order_release);
    ++table.used;
    return empty;
  }
}

// The hand goes round through all slots, a few of them at a time.
PageSlot* PageCache::spare_slot(std::uint64_t generation) {
  constexpr int looked_at = 8;
  for (int i = 0; i < looked_at && slots_ != nullptr; ++i) {
    hand_ = hand_ != nullptr && hand_->next != nullptr ? hand_->next : slots_;
    if (hand_->is_over(generation)) return hand_;
  }
  if (slots_of_all_.load(std::memory_order_relaxed) >= most_pages) return hand_;
  auto* const made = new (std::nothrow) PageSlot{slots_};
  if (made == nullptr) return nullptr;
  slots_ = made;
  slots_of_all_.fetch_add(1, std::memory_order_relaxed);
  return made;
}

bool PageCache::grow() {
  Table* const before = table_.load(std::memory_order_relaxed);
  try {
    auto made = std::make_unique<Table>(before != nullptr ? (before->mask + 1) * 2 : least_entries, before);
    for (PageSlot* slot = slots_; slot != nullptr; slot = slot->next) made->add(slot);
    table_.store(made.release(), std::memory_order_release);
    return true;
  } catch (const std::bad_alloc&) {
    return false;
  }
}

}  // namespace grantd::detail
