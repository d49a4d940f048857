#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
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
inline constexpr std::uint32_t longest_type = 16;
inline constexpr std::uint32_t longest_token = 16384;
/// Scope and version are bounded by the response that they came in.
inline constexpr std::uint32_t largest_page = std::uint32_t{2} << 20;

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

/// Of a page of which at least the head is mapped: whether what has been read of it is to be believed, where
/// that was read before an acquire fence.
inline bool is_open(const void* page, std::memory_order order = std::memory_order_acquire) {
  // Loads alone, which memory that may only be read allows.
  auto& word = const_cast<std::uint32_t&>(static_cast<const Head*>(page)->state);
  return std::atomic_ref{word}.load(order) == static_cast<std::uint32_t>(State::open);
}

/// One page that is mapped whole, for reading. Does not own the mapping. Any thread.
class Reader {
 public:
  /// Whether it is a page at all, of whatever layout.
  static bool is_any_page(const void* mapped, std::size_t size) {
    return size >= sizeof(Head) &&
           std::memcmp(static_cast<const Head*>(mapped)->magic, magic, sizeof magic) == 0;
  }
  /// Nothing where what is mapped there is no page whose parts lie within it. Every word of the head is read
  /// once, so that not even a writer that breaks its promise can lead a reader out of the mapping.
  static std::optional<Reader> of(const void* mapped, std::size_t size) {
    if (!is_any_page(mapped, size)) return std::nullopt;
    Head& shared = detail::head_of(const_cast<void*>(mapped));
    const auto load = [](auto& member) { return std::atomic_ref{member}.load(std::memory_order_relaxed); };
    Head head{.magic = {},
              .version = load(shared.version),
              .state = 0,
              .obtained = load(shared.obtained),
              .expires = load(shared.expires),
              .expires_at = load(shared.expires_at),
              .min_valid = load(shared.min_valid),
              .sizes = {.type = load(shared.sizes.type),
                        .token = load(shared.sizes.token),
                        .scope = load(shared.sizes.scope),
                        .version = load(shared.sizes.version)}};
    if (head.version != layout_version || !are_possible(head.sizes) || page_size(head.sizes) > size)
      return std::nullopt;
    std::memcpy(head.magic, magic, sizeof magic);
    return Reader{mapped, head};
  }

  /// All of it but the state, which is `empty` here.
  const Head& head() const { return head_; }
  std::size_t text_words() const { return (page_size(head_.sizes) - sizeof(Head)) / sizeof(Word); }
  /// Copies the text into `out`, which has room for `text_words`. False: the page has been closed, and `out`
  /// holds nothing of use.
  bool copy_text(Word* out) const {
    if (!is_open(page_)) return false;
    Word* words = detail::words_of(const_cast<void*>(page_));
    for (std::size_t i = 0; i < text_words(); ++i)
      out[i] = std::atomic_ref{words[i]}.load(std::memory_order_relaxed);
    std::atomic_thread_fence(std::memory_order_acquire);
    return is_open(page_, std::memory_order_relaxed);
  }

 private:
  Reader(const void* page, const Head& head) : page_(page), head_(head) {}
  static bool are_possible(const Sizes& sizes) {
    return sizes.type > 0 && sizes.type <= longest_type && sizes.token > 0 && sizes.token <= longest_token &&
           sizes.scope <= largest_page && sizes.version <= largest_page;
  }

  const void* page_;
  Head head_;
};

}  // namespace grantd::token_page
