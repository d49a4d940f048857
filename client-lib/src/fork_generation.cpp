// A process id is not enough: ids are used again, and a child in another pid namespace may have its parent's.
#include "client-lib/src/fork_generation.hpp"

#include <sys/mman.h>
#include <unistd.h>

#include <new>

namespace grantd::detail {
namespace {

using Word = std::atomic<std::uint64_t>;
static_assert(Word::is_always_lock_free);

}  // namespace

ForkGeneration::ForkGeneration() {
  void* page = ::mmap(nullptr, sizeof(Word), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (page == MAP_FAILED) return;
  if (::madvise(page, sizeof(Word), MADV_WIPEONFORK) != 0) {
    ::munmap(page, sizeof(Word));
    return;
  }
  page_ = new (page) Word(1);
}

ForkGeneration::~ForkGeneration() {
  if (page_) ::munmap(page_, sizeof(Word));
}

std::uint64_t ForkGeneration::current() {
  if (!page_) return static_cast<std::uint64_t>(::getpid());
  std::uint64_t known = page_->load(std::memory_order_acquire);
  if (known != 0) return known;
  // The first thread of a child to come here names the generation for all of them.
  const std::uint64_t mine = last_.fetch_add(1, std::memory_order_relaxed) + 1;
  return page_->compare_exchange_strong(known, mine, std::memory_order_acq_rel) ? mine : known;
}

}  // namespace grantd::detail
