#pragma once

#include <cstddef>
#include <cstdint>
#include <expected>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/unique_fd.hpp"

namespace grantd::daemon {

/// Records in sealed memory (memfd_create(2)) that outlives the process wherever someone else, such as the
/// service manager, holds its descriptor. A process that is killed at any instruction leaves every record
/// that it had written, whole, and none that it was about to write.
///
/// Layout, version 1; numbers are in the machine's byte order, records begin at multiples of 64:
///
///     0  "grantd kept mem", NUL    16  u32 version    20  u32 size of this head: 64
///    24  u64 end: behind the last record, written after that record's head
///
///     0  u32 "GREC"   4  u32 state: 0 free, 1 written; the last word to be written, the first to be cleared
///     8  u32 kind    12  u32 flags, which may change at any time
///    16  u64 size of the whole record    24  u64 size of the payload    32  SHA-256 of kind, size and
///    payload 64  the payload
///
/// Not for more than one process at a time. Loop thread only.
class KeptMemory {
 public:
  /// Where a record stands; good until `wipe`.
  using Place = std::uint64_t;
  struct Found {
    Place place;
    std::uint32_t kind;
    std::uint32_t flags;
    std::string_view payload;  // until the next `write`
  };

  /// New and empty. The error is a sentence.
  static std::expected<KeptMemory, std::string> create();
  /// What an earlier process left. The error ends a sentence that begins with what the descriptor is: it is
  /// no such memory, or has another layout.
  static std::expected<KeptMemory, std::string> open(common::UniqueFd descriptor);

  KeptMemory(KeptMemory&& other) noexcept;
  KeptMemory& operator=(KeptMemory&&) = delete;
  ~KeptMemory();

  int descriptor() const { return descriptor_.get(); }
  /// Whether all of it stays out of swap for as long as this lives; may change with every `write`.
  bool locked() const { return locked_; }

  /// Every record whose checksum is right. The others are wiped and counted in `damaged`. To be called once
  /// after `open`, before anything else.
  std::vector<Found> records();
  std::size_t damaged() const { return damaged_; }

  /// A new record. Nothing where there is no memory for it.
  std::optional<Place> write(std::uint32_t kind, std::string_view payload, std::uint32_t flags);
  void set_flags(Place place, std::uint32_t flags);
  /// Forgets a record and overwrites what it held.
  void wipe(Place place);

 private:
  struct Head;
  struct Record;

  KeptMemory(common::UniqueFd descriptor, void* base, std::size_t size);
  Record& at(Place place) const;
  Head& head() const;
  /// Null where what stands there cannot be a record that ends before `end`.
  Record* record_at(Place place, std::uint64_t end) const;
  std::optional<Place> room_for(std::size_t payload);
  bool grow(std::size_t needed);

  common::UniqueFd descriptor_;
  void* base_;
  std::size_t size_;
  bool locked_;
  std::size_t damaged_ = 0;
  std::multimap<std::uint64_t, Place> free_;  // by size
};

}  // namespace grantd::daemon
