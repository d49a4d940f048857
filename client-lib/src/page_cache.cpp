// A reader may be stopped at any instruction while another thread replaces what it reads. So a slot keeps its
// address range for ever, and a replacement is prepared elsewhere and moved into the range by the kernel in
// one step: what a reader reads is the old memory or the new one, never a byte that is being written, and
// always there. A number that changes with every replacement tells the reader afterwards whether it was all
// of one kind.
//
//   range:  [ the page's first memory page, shared with the daemon: the state ][ own copy: times, sizes, text
//   ]
#include "client-lib/src/page_cache.hpp"

#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <functional>
#include <memory>
#include <new>
#include <utility>
#include <vector>

#include "client-lib/src/token_block.hpp"
#include "client-lib/src/token_call.hpp"
#include "common/ascii.hpp"
#include "common/sealed_memory.hpp"
#include "common/token_page.hpp"

namespace grantd::detail {
namespace {

using PageReader = token_page::Reader;

constexpr int page_seals = F_SEAL_GROW | F_SEAL_SHRINK;
constexpr std::size_t least_range = std::size_t{16} * 1024;
constexpr int leave_out_of_cores_and_children[] = {MADV_DONTDUMP, MADV_DONTFORK};

std::size_t memory_page() {
  static const auto size = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
  return size;
}

std::size_t whole_pages(std::size_t size) {
  const std::size_t page = memory_page();
  return (size + page - 1) / page * page;
}

void keep_private(void* memory, std::size_t size) {
  for (const int advice : leave_out_of_cores_and_children) ::madvise(memory, size, advice);
}

std::int64_t boottime() {
  timespec now{};
  ::clock_gettime(CLOCK_BOOTTIME, &now);
  return now.tv_sec * std::int64_t{1'000'000'000} + now.tv_nsec;
}

/// What stands in a range behind the shared page.
struct OwnCopy {
  token_page::Sizes sizes;
  std::int64_t expires;
  std::int64_t expires_at;
  std::int64_t min_valid;

  const char* text() const { return reinterpret_cast<const char*>(this + 1); }
};

// What could break out of a header is no token.
bool is_token(const token_page::Sizes& sizes, std::string_view text) {
  const std::string_view type = text.substr(0, sizes.type);
  const std::string_view token = text.substr(sizes.type + 1, sizes.token);
  const std::string_view version = text.substr(text.size() - sizes.version);
  const auto visible = [](std::string_view part) {
    return !part.empty() && std::ranges::all_of(part, ascii::is_visible);
  };
  return (type == "Bearer" || type == "DPoP") && text[sizes.type] == ' ' && visible(token) &&
         visible(version);
}

/// A page mapped whole, for the moment in which it is taken over.
class Mapped {
 public:
  explicit Mapped(int descriptor) {
    const auto size = common::sealed_size(descriptor, page_seals);
    if (!size || *size < sizeof(token_page::Head) || *size > token_page::largest_page * 2) return;
    void* base = common::map_sealed_memory(descriptor, *size, PROT_READ);
    if (base == nullptr) return;
    base_ = base;
    size_ = *size;
  }
  ~Mapped() {
    if (base_ != nullptr) ::munmap(base_, size_);
  }
  Mapped(const Mapped&) = delete;
  Mapped& operator=(const Mapped&) = delete;

  bool is_page() const { return base_ != nullptr && PageReader::is_page(base_, size_); }
  PageReader reader() const { return PageReader{base_}; }

 private:
  void* base_ = nullptr;
  std::size_t size_ = 0;
};

}  // namespace

PageKey::PageKey(std::string_view client, const TokenRequest& request) : name(client) {
  if (request.scope.empty() && request.resource.empty() && request.audience.empty() &&
      request.parameters.empty())
    return;
  const TokenRequest what{.scope = request.scope,
                          .resource = request.resource,
                          .audience = request.audience,
                          .parameters = request.parameters};
  // A name has no line break.
  changed.append(client).append("\n").append(token_request({}, what).json.reveal());
}

struct PageCache::Slot {
  const std::string key;
  const std::size_t hash;
  Slot* const next;
  /// Odd while the range is being replaced.
  std::atomic<std::uint64_t> sequence = 0;
  /// Of the process in which the range is there; 0: nowhere yet.
  std::atomic<std::uint64_t> generation = 0;
  std::atomic<char*> range = nullptr;
  // The writer's.
  std::size_t range_size = 0;
  std::size_t own_size = 0;
  std::vector<std::pair<char*, std::size_t>> outgrown{};

  const OwnCopy& own(const char* base) const {
    return *reinterpret_cast<const OwnCopy*>(base + memory_page());
  }
  bool make_range(std::size_t size, std::uint64_t current);
  bool replace(int descriptor, void* prepared, std::size_t size);
};

// One that is too small stays where it is: somebody may be reading in it.
bool PageCache::Slot::make_range(std::size_t size, std::uint64_t current) {
  const bool here = generation.load(std::memory_order_relaxed) == current;
  if (here && range_size >= size) return true;
  std::size_t wanted = here ? range_size * 2 : least_range;
  if (here) outgrown.emplace_back(range.load(std::memory_order_relaxed), range_size);
  if (!here) outgrown.clear();  // the parent's
  while (wanted < size) wanted *= 2;
  // To be read at any time, also where nothing stands yet.
  void* made = ::mmap(nullptr, wanted, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (made == MAP_FAILED) return false;
  keep_private(made, wanted);
  range.store(static_cast<char*>(made), std::memory_order_relaxed);
  range_size = wanted;
  own_size = 0;
  return true;
}

// Raw system calls: a tool that watches memory would take the replacement for a write by this thread.
bool PageCache::Slot::replace(int descriptor, void* prepared, std::size_t size) {
  char* const base = range.load(std::memory_order_relaxed);
  const std::size_t page = memory_page();
  const long mapped = ::syscall(SYS_mmap, base, page, PROT_READ, MAP_SHARED | MAP_FIXED, descriptor, 0L);
  if (mapped == -1) return false;
  keep_private(base, page);
  if (::syscall(SYS_mremap, prepared, size, size, MREMAP_MAYMOVE | MREMAP_FIXED, base + page) == -1)
    return false;
  // What is left of a longer one before.
  if (own_size > size) {
    constexpr int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED;
    ::syscall(SYS_mmap, base + page + size, own_size - size, PROT_READ, flags, -1, 0L);
    keep_private(base + page + size, own_size - size);
  }
  own_size = size;
  return true;
}

PageCache::~PageCache() {
  const std::uint64_t current = generation_.current();
  for (auto& bucket : buckets_) {
    for (Slot* slot = bucket.load(std::memory_order_relaxed); slot != nullptr;) {
      const std::unique_ptr<Slot> owned{slot};
      slot = slot->next;
      if (owned->generation.load(std::memory_order_relaxed) == current) {
        owned->outgrown.emplace_back(owned->range.load(std::memory_order_relaxed), owned->range_size);
        for (const auto& [range, size] : owned->outgrown) ::munmap(range, size);
      }
    }
  }
}

std::optional<Token> PageCache::find(std::string_view key,
                                     std::optional<std::chrono::seconds> min_valid) noexcept {
  const Slot* slot = slot_of(key, std::hash<std::string_view>{}(key));
  if (slot == nullptr) return std::nullopt;
  const std::uint64_t before = slot->sequence.load(std::memory_order_acquire);
  if ((before & 1) != 0 || slot->generation.load(std::memory_order_relaxed) != generation_.current())
    return std::nullopt;
  const char* const base = slot->range.load(std::memory_order_relaxed);
  const PageReader page{base};
  if (!page.is_open()) return std::nullopt;
  const OwnCopy own = slot->own(base);
  const std::int64_t left = own.expires - boottime();
  const std::int64_t least =
      min_valid ? std::chrono::nanoseconds{std::min(*min_valid, std::chrono::seconds{1 << 30})}.count()
                : own.min_valid;
  if (left <= 0 || left < least) return std::nullopt;
  const auto still = [slot, before] {
    std::atomic_thread_fence(std::memory_order_acquire);
    return slot->sequence.load(std::memory_order_relaxed) == before;
  };
  if (!still()) return std::nullopt;
  std::optional<Token> token{TokenBlock::make(own.sizes, own.expires_at, slot->own(base).text())};
  if (!still()) return std::nullopt;
  return token;
}

std::optional<Token> PageCache::read(int descriptor) {
  const Mapped mapped{descriptor};
  if (!mapped.is_page()) return std::nullopt;
  const token_page::Head& head = mapped.reader().head();
  auto words = std::make_unique_for_overwrite<token_page::Word[]>(
      (token_page::page_size(head.sizes) - sizeof head) / sizeof(token_page::Word));
  const bool whole = mapped.reader().copy_text(words.get());
  std::optional<Token> token;
  if (whole &&
      is_token(head.sizes, {reinterpret_cast<const char*>(words.get()), token_page::text_size(head.sizes)}))
    token = TokenBlock::make(head.sizes, head.expires_at, reinterpret_cast<const char*>(words.get()));
  ::explicit_bzero(words.get(), token_page::page_size(head.sizes) - sizeof head);
  return token;
}

PageCache::Slot* PageCache::slot_of(std::string_view key, std::size_t hash) const noexcept {
  Slot* slot = buckets_[hash % bucket_count].load(std::memory_order_acquire);
  while (slot != nullptr && (slot->hash != hash || slot->key != key)) slot = slot->next;
  return slot;
}

PageCache::Slot* PageCache::add_slot(std::string_view key, std::size_t hash) {
  if (slots_ == most_slots) return nullptr;
  auto& bucket = buckets_[hash % bucket_count];
  auto* slot =
      new Slot{.key = std::string{key}, .hash = hash, .next = bucket.load(std::memory_order_relaxed)};
  bucket.store(slot, std::memory_order_release);
  ++slots_;
  return slot;
}

bool PageCache::lock() {
  const std::uint64_t current = generation_.current();
  std::uint64_t holder = writer_.load(std::memory_order_relaxed);
  return holder != current && writer_.compare_exchange_strong(holder, current, std::memory_order_acquire);
}

void PageCache::keep(std::string_view key, int descriptor) {
  const Mapped mapped{descriptor};
  if (!mapped.is_page() || !lock()) return;
  const token_page::Head& head = mapped.reader().head();
  const std::size_t size = whole_pages(sizeof(OwnCopy) + token_page::page_size(head.sizes));
  void* prepared = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (prepared == MAP_FAILED) return unlock();
  keep_private(prepared, size);
  auto* own = new (prepared) OwnCopy{.sizes = head.sizes,
                                     .expires = head.expires,
                                     .expires_at = head.expires_at,
                                     .min_valid = head.min_valid};
  const std::size_t hash = std::hash<std::string_view>{}(key);
  Slot* slot = slot_of(key, hash);
  if (mapped.reader().copy_text(reinterpret_cast<token_page::Word*>(own + 1)) &&
      ::mprotect(prepared, size, PROT_READ) == 0 &&
      (slot != nullptr || (slot = add_slot(key, hash)) != nullptr)) {
    const std::uint64_t current = generation_.current();
    const std::uint64_t sequence = slot->sequence.load(std::memory_order_relaxed) | 1;
    slot->sequence.store(sequence, std::memory_order_relaxed);
    std::atomic_thread_fence(std::memory_order_release);
    const bool moved =
        slot->make_range(memory_page() + size, current) && slot->replace(descriptor, prepared, size);
    slot->generation.store(moved ? current : 0, std::memory_order_relaxed);
    slot->sequence.store(sequence + 1, std::memory_order_release);
    if (moved) return unlock();
  }
  ::munmap(prepared, size);
  unlock();
}

}  // namespace grantd::detail
