// A reader may be stopped at any instruction while another thread replaces what it reads. So a slot keeps its
// address range for ever, and a replacement is prepared elsewhere and moved into the range by the kernel in
// one step: what a reader reads is the old memory or the new one, never a byte that is being written, and
// always there. A number that changes with every replacement tells the reader afterwards whether it was all
// of one kind.
//
//   range:  [ the page's first memory page, shared with the daemon: the state ]
//           [ own copy: times, sizes, text, key ]
#include "client-lib/src/page_slot.hpp"

#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <memory>
#include <new>

#include "client-lib/src/coarse_deadline.hpp"

namespace grantd::detail {
namespace {

void keep_private(void* memory, std::size_t size) {
  for (const int advice : {MADV_DONTDUMP, MADV_DONTFORK}) ::madvise(memory, size, advice);
}

/// Memory to be written and then moved into a range.
class Prepared {
 public:
  explicit Prepared(std::size_t size) : size_(size) {
    void* made = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (made == MAP_FAILED) return;
    keep_private(made, size);
    memory_ = made;
  }
  ~Prepared() {
    if (memory_ != nullptr) ::munmap(memory_, size_);
  }
  Prepared(const Prepared&) = delete;
  Prepared& operator=(const Prepared&) = delete;

  void* get() const { return memory_; }
  std::size_t size() const { return size_; }
  bool close_to_writing() { return ::mprotect(memory_, size_, PROT_READ) == 0; }
  void moved() { memory_ = nullptr; }

 private:
  void* memory_ = nullptr;
  std::size_t size_;
};

std::int64_t now_by(clockid_t clock) {
  timespec now{};
  ::clock_gettime(clock, &now);
  return now.tv_sec * std::int64_t{1'000'000'000} + now.tv_nsec;
}

CoarseDeadline::Now coarse_now() {
  const std::int64_t monotonic = now_by(CLOCK_MONOTONIC_COARSE);
  return {.monotonic = monotonic, .wall = now_by(CLOCK_REALTIME_COARSE)};
}

CoarseDeadline coarsely(std::int64_t expires) {
  const CoarseDeadline::Now now = coarse_now();
  const std::int64_t precise = boottime();
  constexpr std::int64_t prompt = CoarseDeadline::tolerance / 10;
  const bool stopped_meanwhile = coarse_now().monotonic - now.monotonic > prompt;
  return expires <= precise || stopped_meanwhile ? CoarseDeadline{} : CoarseDeadline{expires - precise, now};
}

}  // namespace

std::int64_t boottime() { return now_by(CLOCK_BOOTTIME); }

struct PageSlot::OwnCopy {
  token_page::Sizes sizes;
  std::int64_t expires;
  CoarseDeadline expires_coarsely;
  std::int64_t expires_at;
  std::int64_t min_valid;
  std::size_t key_size;

  const char* characters() const { return reinterpret_cast<const char*>(this + 1); }
  std::string_view key() const { return {characters() + token_page::text_size(sizes), key_size}; }
};

PageSlot::PageSlot(PageSlot* of_the_same_owner)
    : next(of_the_same_owner), memory_page_(static_cast<std::size_t>(::sysconf(_SC_PAGESIZE))) {}

const PageSlot::OwnCopy& PageSlot::own(const char* range) const {
  return *reinterpret_cast<const OwnCopy*>(range + memory_page_);
}

// Fills `reading` member by member from where they stand: what is written in small parts and read again in
// large ones makes the processor wait.
bool PageSlot::read(const Key& key, std::int64_t min_valid, std::uint64_t generation,
                    SlotReading& reading) const {
  const std::uint64_t sequence = sequence_.load(std::memory_order_acquire);
  if ((sequence & 1) != 0 || generation_.load(std::memory_order_acquire) != generation) return false;
  const char* const range = range_.load(std::memory_order_relaxed);
  if (!token_page::is_open(range)) return false;
  const OwnCopy& copy = own(range);
  const std::int64_t validity = min_valid == usual_validity ? copy.min_valid : min_valid;
  if (!copy.expires_coarsely.is_beyond(validity, coarse_now())) {
    const std::int64_t now = boottime();
    if (copy.expires <= now || copy.expires - now < validity) return false;
  }
  reading.slot_ = this;
  reading.sequence_ = sequence;
  reading.text_.sizes = copy.sizes;
  reading.text_.expires_at = copy.expires_at;
  reading.text_.characters = copy.characters();
  const std::size_t key_size = copy.key_size;
  // Before any size is relied upon.
  if (!reading.is_whole() || key_size != key.text.size()) return false;
  const char* const known = reading.text_.characters + reading.text_.size();
  return ::memcmp(known, key.text.data(), key_size) == 0;
}

bool PageSlot::holds(const Key& key, std::uint64_t generation) const {
  return hash() == key.hash && generation_.load(std::memory_order_relaxed) == generation &&
         own(range_.load(std::memory_order_relaxed)).key() == key.text;
}

bool PageSlot::is_over(std::uint64_t generation) const {
  if (generation_.load(std::memory_order_relaxed) != generation) return true;
  const char* const range = range_.load(std::memory_order_relaxed);
  return !token_page::is_open(range) || own(range).expires <= boottime();
}

void PageSlot::put(const Key& key, const PassedPage& page, std::uint64_t generation) {
  const TokenText text = page.text();
  const token_page::Head& head = page.head();
  Prepared prepared{own_size(sizeof(OwnCopy) + text.size() + key.text.size(), generation)};
  if (prepared.get() == nullptr) return;
  const auto* copy = new (prepared.get()) OwnCopy{.sizes = head.sizes,
                                                  .expires = head.expires,
                                                  .expires_coarsely = coarsely(head.expires),
                                                  .expires_at = head.expires_at,
                                                  .min_valid = std::max<std::int64_t>(head.min_valid, 0),
                                                  .key_size = key.text.size()};
  char* const characters = const_cast<char*>(copy->characters());
  ::memcpy(characters, text.characters, text.size());
  key.text.copy(characters + text.size(), key.text.size());
  if (!prepared.close_to_writing()) return;

  const std::uint64_t sequence = sequence_.load(std::memory_order_relaxed) | 1;
  sequence_.store(sequence, std::memory_order_relaxed);
  std::atomic_thread_fence(std::memory_order_release);
  const bool moved = make_range(memory_page_ + prepared.size(), generation) &&
                     page.descriptor().is_intact() &&
                     replace(page.descriptor().get(), prepared.get(), prepared.size());
  if (moved) prepared.moved();
  hash_.store(key.hash, std::memory_order_relaxed);
  // Whoever sees the generation sees the range of it, too.
  generation_.store(moved ? generation : 0, std::memory_order_release);
  sequence_.store(sequence + 1, std::memory_order_release);
}

// The same each time, as long as it is enough: then a page takes two mappings and no more.
std::size_t PageSlot::own_size(std::size_t least, std::uint64_t generation) const {
  std::size_t size = home_ == generation ? range_size_ - memory_page_ : memory_page_;
  while (size < least) size *= 2;
  return size;
}

// One that is too small stays where it is, for somebody may be reading in it: as zeros, which are no open
// page.
bool PageSlot::make_range(std::size_t size, std::uint64_t generation) {
  constexpr int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;
  char* const before = range_.load(std::memory_order_relaxed);
  const bool here = home_ == generation;
  if (here && range_size_ == size) return true;
  // To be read at any time, also where nothing stands yet.
  void* made = ::mmap(nullptr, size, PROT_READ, flags, -1, 0);
  if (made == MAP_FAILED) return false;
  keep_private(made, size);
  if (!here) {
    outgrown_.store(nullptr, std::memory_order_relaxed);  // the parent's, and perhaps half done
  } else {
    ::syscall(SYS_mmap, before, range_size_, PROT_READ, flags | MAP_FIXED, -1, 0L);
    keep_private(before, range_size_);
    if (auto* kept = new (std::nothrow) Outgrown{before, range_size_, outgrown_.load()})
      outgrown_.store(kept, std::memory_order_release);
  }
  range_.store(static_cast<char*>(made), std::memory_order_relaxed);
  range_size_ = size;
  home_ = generation;
  return true;
}

// Raw system calls: a tool that watches memory would take the replacement for a write by this thread.
bool PageSlot::replace(int descriptor, void* prepared, std::size_t size) {
  char* const base = range_.load(std::memory_order_relaxed);
  const std::size_t page = memory_page_;
  const long mapped = ::syscall(SYS_mmap, base, page, PROT_READ, MAP_SHARED | MAP_FIXED, descriptor, 0L);
  if (mapped == -1) return false;
  keep_private(base, page);
  constexpr int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED;
  if (::syscall(SYS_mremap, prepared, size, size, MREMAP_MAYMOVE | MREMAP_FIXED, base + page) == -1) {
    // What was there may be gone already, and somebody may be reading.
    ::syscall(SYS_mmap, base + page, size, PROT_READ, flags, -1, 0L);
    return false;
  }
  return true;
}

void PageSlot::unmap(std::uint64_t generation) {
  const bool here = home_ == generation;
  if (here) ::munmap(range_.load(), range_size_);
  for (Outgrown* one = outgrown_.load(std::memory_order_acquire); one != nullptr;) {
    const std::unique_ptr<Outgrown> owned{one};
    one = one->next;
    if (here) ::munmap(owned->range, owned->size);
  }
}

}  // namespace grantd::detail
