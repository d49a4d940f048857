// Tokens and secrets pass through buffers that are not ours: JSON strings, request bodies of the HTTP
// library, parser state. Wiping every block as it is freed covers all of them, at a cost that is lost in a
// socket round trip. Linked into the daemon only, and not into sanitizer builds, which bring an allocator of
// their own.
//
// The loop's thread keeps small blocks for the next of their size. The frames of a few hundred suspended
// coroutines are more than what glibc or Asio keep at hand, and freeing them cost a sixth of a proxied
// request.
#include <malloc.h>
#include <string.h>

#include <array>
#include <cstddef>
#include <cstdlib>
#include <new>

namespace {

constexpr std::size_t step = 128;
constexpr std::size_t largest = 4096;
constexpr std::size_t most_kept = std::size_t{2} << 20;

struct KeptBlock {
  KeptBlock* next;
};

/// Index n has blocks of n times `step` and up to one step more. Never destroyed, so that it serves whatever
/// runs at the end of the process.
struct KeptBlocks {
  bool in_use;
  std::size_t bytes;
  std::array<KeptBlock*, largest / step + 1> of_size;
};
constinit thread_local KeptBlocks kept{};

// Static objects are made by the thread that will run the loop.
[[maybe_unused]] const bool main_thread_keeps = kept.in_use = true;

void* allocate(std::size_t size) noexcept {
  if (size > largest || !kept.in_use) return std::malloc(size == 0 ? 1 : size);
  const std::size_t index = size <= step ? 1 : (size + step - 1) / step;
  KeptBlock* const block = kept.of_size[index];
  if (block == nullptr) return std::malloc(index * step);
  kept.of_size[index] = block->next;
  kept.bytes -= index * step;
  return block;
}

void* allocate_or_throw(std::size_t size) {
  while (true) {
    if (void* const block = allocate(size)) return block;
    const auto handler = std::get_new_handler();
    if (handler == nullptr) throw std::bad_alloc{};
    handler();
  }
}

void wipe_and_free(void* block) noexcept {
  if (block == nullptr) return;
  const std::size_t size = ::malloc_usable_size(block);
  ::explicit_bzero(block, size);
  const std::size_t index = size / step;
  if (kept.in_use && index > 0 && index < kept.of_size.size() && kept.bytes < most_kept) {
    kept.of_size[index] = ::new (block) KeptBlock{kept.of_size[index]};
    kept.bytes += index * step;
    return;
  }
  std::free(block);
}

}  // namespace

void* operator new(std::size_t size) { return allocate_or_throw(size); }
void* operator new[](std::size_t size) { return allocate_or_throw(size); }
void operator delete(void* block) noexcept { wipe_and_free(block); }
void operator delete[](void* block) noexcept { wipe_and_free(block); }
void operator delete(void* block, std::size_t) noexcept { wipe_and_free(block); }
void operator delete[](void* block, std::size_t) noexcept { wipe_and_free(block); }
void operator delete(void* block, std::align_val_t) noexcept { wipe_and_free(block); }
void operator delete[](void* block, std::align_val_t) noexcept { wipe_and_free(block); }
void operator delete(void* block, std::size_t, std::align_val_t) noexcept { wipe_and_free(block); }
void operator delete[](void* block, std::size_t, std::align_val_t) noexcept { wipe_and_free(block); }
