// Everything is written in the order in which an interrupted reader must find it: a record counts once its
// state says so, and stops to count before anything in it changes. What another process left is believed only
// as far as its numbers stay within the memory and its checksums are right. Sizes of records are steps of a
// quarter of a power of two, so that a record which is free fits the next token of the same kind, and memory
// does not grow with the number of renewals.
#include "daemon/kept/kept_memory.hpp"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <bit>
#include <system_error>
#include <utility>

#include "common/sealed_memory.hpp"
#include "daemon/crypto/digest.hpp"

namespace grantd::daemon {

struct KeptMemory::Head {
  char magic[16];
  std::uint32_t version;
  std::uint32_t size;
  std::uint64_t end;
  char reserved[32];
};

struct KeptMemory::Record {
  std::uint32_t magic;
  std::uint32_t state;
  std::uint32_t kind;
  std::uint32_t flags;
  std::uint64_t size;
  std::uint64_t payload_size;
  Sha256 checksum;

  char* payload() { return reinterpret_cast<char*>(this + 1); }
  std::string_view content() { return {payload(), payload_size}; }
  Sha256 computed() {
    return sha256({{reinterpret_cast<const char*>(&kind), sizeof kind},
                   {reinterpret_cast<const char*>(&payload_size), sizeof payload_size},
                   content()});
  }
};

namespace {

constexpr char head_magic[16] = "grantd kept mem";
constexpr std::uint32_t record_magic = std::bit_cast<std::uint32_t>(std::array{'G', 'R', 'E', 'C'});
constexpr std::uint32_t layout_version = 1;
constexpr std::size_t alignment = 64;
constexpr std::size_t first_size = 64 * 1024;
constexpr std::uint32_t free_state = 0;
constexpr std::uint32_t written_state = 1;
// Nobody can take memory away from under the mapping, nor change what is sealed.
constexpr int seals = F_SEAL_SHRINK | F_SEAL_SEAL;

template <class Number>
void publish(Number& word, Number value) {
  std::atomic_ref{word}.store(value, std::memory_order_release);
}

std::size_t size_of_record(std::size_t head, std::size_t payload) {
  const std::size_t whole = std::max(head + payload, 4 * alignment);
  const std::size_t step = std::max(std::bit_floor(whole) / 4, alignment);
  return (whole + step - 1) / step * step;
}

std::unexpected<std::string> failure(const char* what, int error) {
  return std::unexpected{std::string{what} + ": " + std::generic_category().message(error)};
}

}  // namespace

KeptMemory::KeptMemory(common::UniqueFd descriptor, void* base, std::size_t size)
    : descriptor_(std::move(descriptor)),
      base_(base),
      size_(size),
      locked_(common::lock_sealed_memory(base, size)) {}

KeptMemory::KeptMemory(KeptMemory&& other) noexcept
    : descriptor_(std::move(other.descriptor_)),
      base_(std::exchange(other.base_, nullptr)),
      size_(other.size_),
      locked_(other.locked_),
      damaged_(other.damaged_),
      free_(std::move(other.free_)) {}

KeptMemory::~KeptMemory() {
  if (base_ != nullptr) ::munmap(base_, size_);
}

std::expected<KeptMemory, std::string> KeptMemory::create() {
  static_assert(sizeof(Head) == 64 && sizeof(Record) == 64);
  common::UniqueFd made = common::make_sealed_memory("grantd-tokens", first_size, seals);
  if (!made) return failure("no memory for tokens can be made", errno);
  void* base = common::map_sealed_memory(made.get(), first_size, PROT_READ | PROT_WRITE);
  if (base == nullptr) return failure("memory for tokens cannot be mapped", errno);
  KeptMemory memory{std::move(made), base, first_size};
  Head& head = memory.head();
  std::ranges::copy(head_magic, head.magic);
  head.size = sizeof(Head);
  head.version = layout_version;
  publish(head.end, std::uint64_t{sizeof(Head)});
  return memory;
}

std::expected<KeptMemory, std::string> KeptMemory::open(common::UniqueFd descriptor) {
  const auto size = common::sealed_size(descriptor.get(), seals);
  if (!size || *size < first_size) return std::unexpected{"is no sealed memory of grantd"};
  void* base = common::map_sealed_memory(descriptor.get(), *size, PROT_READ | PROT_WRITE);
  if (base == nullptr) return failure("cannot be mapped", errno);
  KeptMemory memory{std::move(descriptor), base, *size};
  const Head& head = memory.head();
  if (!std::ranges::equal(head.magic, head_magic)) return std::unexpected{"is no memory of grantd"};
  if (head.version != layout_version || head.size != sizeof(Head)) {
    return std::unexpected{"has layout " + std::to_string(head.version) + ", this version reads " +
                           std::to_string(layout_version)};
  }
  return memory;
}

KeptMemory::Head& KeptMemory::head() const { return *static_cast<Head*>(base_); }

KeptMemory::Record& KeptMemory::at(Place place) const {
  return *reinterpret_cast<Record*>(static_cast<char*>(base_) + place);
}

KeptMemory::Record* KeptMemory::record_at(Place place, std::uint64_t end) const {
  if (end - place < sizeof(Record)) return nullptr;
  Record& record = at(place);
  const bool possible = record.magic == record_magic && record.size % alignment == 0 &&
                        record.size >= sizeof(Record) && record.size <= end - place &&
                        record.payload_size <= record.size - sizeof(Record);
  return possible ? &record : nullptr;
}

std::vector<KeptMemory::Found> KeptMemory::records() {
  std::vector<Found> found;
  free_.clear();
  const std::uint64_t end = std::atomic_ref{head().end}.load(std::memory_order_acquire);
  Place place = sizeof(Head);
  while (place < end && end <= size_) {
    Record* record = record_at(place, end);
    if (record == nullptr) break;
    const bool written = record->state == written_state;
    if (written && record->computed() == record->checksum) {
      found.push_back({place, record->kind, record->flags, record->content()});
    } else {
      // Also what a write that was interrupted left in a free record.
      damaged_ += written ? 1 : 0;
      wipe(place);
    }
    place += record->size;
  }
  if (place != end) {
    // What stands behind cannot be told apart any more.
    ++damaged_;
    ::explicit_bzero(static_cast<char*>(base_) + place, size_ - place);
    publish(head().end, place);
  }
  return found;
}

std::optional<KeptMemory::Place> KeptMemory::write(std::uint32_t kind, std::string_view payload,
                                                   std::uint32_t flags) {
  const auto place = room_for(payload.size());
  if (!place) return std::nullopt;
  Record& record = at(*place);
  record.kind = kind;
  record.flags = flags;
  record.payload_size = payload.size();
  std::ranges::copy(payload, record.payload());
  record.checksum = record.computed();
  publish(record.state, written_state);
  return place;
}

std::optional<KeptMemory::Place> KeptMemory::room_for(std::size_t payload) {
  const std::size_t size = size_of_record(sizeof(Record), payload);
  if (const auto reused = free_.find(size); reused != free_.end()) {
    const Place place = reused->second;
    free_.erase(reused);
    return place;
  }
  const Place place = head().end;
  if (size_ - place < size && !grow(place + size)) return std::nullopt;
  Record& record = at(place);
  record.magic = record_magic;
  record.state = free_state;
  record.payload_size = 0;
  record.size = size;
  publish(head().end, place + size);
  return place;
}

// Allocated at once: memory that is missing shows here, not as a signal when it is first touched.
bool KeptMemory::grow(std::size_t needed) {
  const std::size_t larger = std::max(needed, size_ + size_ / 4) / first_size * first_size + first_size;
  if (::fallocate(descriptor_.get(), 0, 0, static_cast<off_t>(larger)) != 0) return false;
  void* moved = common::map_sealed_memory(descriptor_.get(), larger, PROT_READ | PROT_WRITE);
  if (moved == nullptr) return false;
  ::munmap(base_, size_);
  base_ = moved;
  size_ = larger;
  locked_ = common::lock_sealed_memory(base_, size_);
  return true;
}

void KeptMemory::set_flags(Place place, std::uint32_t flags) { publish(at(place).flags, flags); }

void KeptMemory::wipe(Place place) {
  Record& record = at(place);
  publish(record.state, free_state);
  ::explicit_bzero(record.payload(), record.size - sizeof(Record));
  record.payload_size = 0;
  free_.emplace(record.size, place);
}

}  // namespace grantd::daemon
