#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "client-lib/src/fork_generation.hpp"
#include "common/unique_fd.hpp"
#include "grantd/token.hpp"

namespace grantd::detail {

/// Under what a token is remembered: the definition's name, and behind it what the request changes about it.
struct PageKey {
  /// `text` is used where the request changes anything.
  PageKey(std::string_view client, const TokenRequest& request);
  std::string_view view() const { return changed.empty() ? name : std::string_view{changed}; }

  std::string_view name;
  std::string changed{};
};

/// The token pages of this process (docs/token-page.md): of each the state word that the daemon clears,
/// mapped, and an own copy of the token beside it. Reading one takes no system call and no lock, and touches
/// no word that another thread writes. Callable from any thread and on both sides of a fork: a child begins
/// without pages.
class PageCache {
 public:
  PageCache() = default;
  ~PageCache();
  PageCache(const PageCache&) = delete;
  PageCache& operator=(const PageCache&) = delete;

  /// The token under `key`, if its page is open and it is valid for `min_valid` more; unset: what the page
  /// says.
  std::optional<Token> find(std::string_view key, std::optional<std::chrono::seconds> min_valid) noexcept;

  /// Takes the token out of the page that a descriptor stands for. Nothing: it is no page, or has been
  /// closed.
  static std::optional<Token> read(int descriptor);
  /// Remembers the page for `find`, where there is room and nobody else is doing so.
  void keep(std::string_view key, int descriptor);

 private:
  struct Slot;
  static constexpr std::size_t bucket_count = 256;
  static constexpr std::size_t most_slots = 4096;

  Slot* slot_of(std::string_view key, std::size_t hash) const noexcept;
  Slot* add_slot(std::string_view key, std::size_t hash);
  /// One writer at a time; nobody waits. One that was at work in the parent of a forked child is not there
  /// any more.
  bool lock();
  void unlock() { writer_.store(0, std::memory_order_release); }

  ForkGeneration generation_;
  std::array<std::atomic<Slot*>, bucket_count> buckets_{};  // of lists that only grow
  std::size_t slots_ = 0;
  std::atomic<std::uint64_t> writer_ = 0;  // the generation of the one at work
};

}  // namespace grantd::detail
