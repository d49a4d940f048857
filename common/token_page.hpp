#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>

#include "common/clock.hpp"

/// Sealed shared memory that holds one token for ever: the daemon writes it before it hands it out, and
/// afterwards only closes and wipes it. docs/token-page.md has the layout and the protocol for other
/// languages.
///
/// The writer's promise: all words but the state are written before the state becomes `open`, and not again
/// before it becomes `closed`. The reader's: it believes what it read only if the state is still `open`
/// afterwards. All words are accessed atomically, so that the two may run at the same time.
///
/// Magic, version and state stand in the same place in every layout, and all text behind the head of this
/// one, so that a daemon can close what one of another version left.
namespace grantd::token_page {

inline constexpr char magic[8] = {'g', 'r', 'a', 'n', 't', 'd', 'p', 'g'};
inline constexpr std::uint32_t layout_version = 1;

enum class State : std::uint32_t { empty = 0, open = 1, closed = 2 };

/// Of what follows the head: type, a space, token, scope, version, without ends; padded with NULs to words.
/// Type and token beside each other are the value of `Authorization`.
struct Sizes {
  std::uint32_t type;
  std::uint32_t token;
  std::uint32_t scope;
  std::uint32_t version;
  bool operator==(const Sizes&) const = default;
};

/// The front of a page. Numbers are in the machine's byte order; times are nanoseconds, of CLOCK_BOOTTIME as
/// the daemon sees it, but for `expires_at`, which counts from 1970 without leap seconds.
struct Head {
  char magic[8];
  std::uint32_t version;
  std::uint32_t state;
  std::int64_t obtained;
  std::int64_t expires;
  std::int64_t expires_at;
  std::int64_t min_valid;  // the least validity that a reader gives without being asked for more or less
  Sizes sizes;
};
static_assert(sizeof(Head) == 64 && alignof(Head) == 8);
static_assert(offsetof(Head, version) == 8 && offsetof(Head, state) == 12 && offsetof(Head, obtained) == 16 &&
              offsetof(Head, expires) == 24 && offsetof(Head, expires_at) == 32 &&
              offsetof(Head, min_valid) == 40 && offsetof(Head, sizes) == 48);

using Word = std::uint64_t;
inline constexpr std::size_t largest_token = 16384;
/// Scope and version are bounded by the response that they came in.
inline constexpr std::size_t largest_page = std::size_t{2} << 20;

constexpr std::size_t text_size(const Sizes& sizes) {
  return std::size_t{sizes.type} + 1 + sizes.token + sizes.scope + sizes.version;
}
constexpr std::size_t page_size(const Sizes& sizes) {
  return sizeof(Head) + (text_size(sizes) + sizeof(Word) - 1) / sizeof(Word) * sizeof(Word);
}

struct Content {
  std::string_view type;
  std::string_view token;
  std::string_view scope;
  std::string_view version;
  common::BootTime obtained;
  common::BootTime expires;
  common::WallTime expires_at;
  std::chrono::nanoseconds min_valid;

  Sizes sizes() const {
    const auto size = [](std::string_view text) { return static_cast<std::uint32_t>(text.size()); };
    return {.type = size(type), .token = size(token), .scope = size(scope), .version = size(version)};
  }
};

namespace detail {

inline Head& head_of(void* page) { return *static_cast<Head*>(page); }
inline Word* words_of(void* page) { return reinterpret_cast<Word*>(static_cast<Head*>(page) + 1); }
inline void store(Word& word, Word value) { std::atomic_ref{word}.store(value, std::memory_order_relaxed); }

}  // namespace detail

/// Into `page`, which nobody reads yet: page_size(content.sizes()) bytes of zeros, aligned to a word.
inline void write(void* page, const Content& content) {
  Head& head = detail::head_of(page);
  std::memcpy(head.magic, magic, sizeof magic);
  head.version = layout_version;
  head.obtained = content.obtained.time_since_epoch().count();
  head.expires = content.expires.time_since_epoch().count();
  head.expires_at =
      std::chrono::duration_cast<std::chrono::nanoseconds>(content.expires_at.time_since_epoch()).count();
  head.min_valid = content.min_valid.count();
  head.sizes = content.sizes();
  char* at = static_cast<char*>(page) + sizeof(Head);
  for (const std::string_view part :
       {content.type, std::string_view{" "}, content.token, content.scope, content.version}) {
    at += part.copy(at, part.size());
  }
  std::atomic_ref{head.state}.store(static_cast<std::uint32_t>(State::open), std::memory_order_release);
}

/// Ends the page for every reader, then wipes its text. May be interrupted anywhere and done again.
inline void close(void* page, std::size_t mapped) {
  Head& head = detail::head_of(page);
  std::atomic_ref{head.state}.store(static_cast<std::uint32_t>(State::closed), std::memory_order_relaxed);
  // Whoever sees a wiped word sees the state, too.
  std::atomic_thread_fence(std::memory_order_release);
  const std::size_t count = (mapped - sizeof(Head)) / sizeof(Word);
  for (std::size_t i = 0; i < count; ++i) detail::store(detail::words_of(page)[i], 0);
}

/// One mapped page, for reading. Does not own the mapping. Any thread.
class Reader {
 public:
  /// Whether it is a page at all, of whatever layout.
  static bool is_any_page(const void* mapped, std::size_t size) {
    return size >= sizeof(Head) &&
           std::memcmp(static_cast<const Head*>(mapped)->magic, magic, sizeof magic) == 0;
  }
  /// Whether what is mapped there is a page whose parts lie within it. Once true it stays true for the same
  /// mapping: nobody can change the head of a page but for the state.
  static bool is_page(const void* mapped, std::size_t size) {
    if (!is_any_page(mapped, size)) return false;
    const Head& head = *static_cast<const Head*>(mapped);
    return head.version == layout_version && head.sizes.type <= 16 && head.sizes.type > 0 &&
           head.sizes.token > 0 && head.sizes.token <= largest_token && head.sizes.scope <= largest_page &&
           head.sizes.version <= largest_page && page_size(head.sizes) <= size;
  }
  /// `page` has been found to be one.
  explicit Reader(const void* page) : page_(page) {}

  const Head& head() const { return *static_cast<const Head*>(page_); }
  bool is_open() const { return state(std::memory_order_acquire) == State::open; }
  /// Copies the text, text_size(head().sizes) bytes, into `out`, which has room for whole words. False: the
  /// page has been closed, and `out` holds nothing of use.
  bool copy_text(Word* out) const {
    if (!is_open()) return false;
    const std::size_t count = (page_size(head().sizes) - sizeof(Head)) / sizeof(Word);
    Word* words = detail::words_of(const_cast<void*>(page_));
    for (std::size_t i = 0; i < count; ++i)
      out[i] = std::atomic_ref{words[i]}.load(std::memory_order_relaxed);
    std::atomic_thread_fence(std::memory_order_acquire);
    return state(std::memory_order_relaxed) == State::open;
  }

 private:
  State state(std::memory_order order) const {
    // Loads alone, which memory that may only be read allows.
    auto& word = const_cast<std::uint32_t&>(head().state);
    return static_cast<State>(std::atomic_ref{word}.load(order));
  }

  const void* page_;
};

}  // namespace grantd::token_page
