// Who may open the memory again is decided by its owner and mode, as for a file: a seal against writing would
// shut out the daemon's next process as well, which has to close what this one published.
#include "daemon/publish/token_page_memory.hpp"

#include <fcntl.h>
#include <sys/mman.h>

#include <cstring>
#include <system_error>
#include <utility>
#include <vector>

#include "common/sealed_memory.hpp"

namespace grantd::daemon {
namespace {

constexpr int seals = F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL;

std::unexpected<std::string> failure(const char* what, int error) {
  return std::unexpected{std::string{what} + ": " + std::generic_category().message(error)};
}

}  // namespace

TokenPageMemory::TokenPageMemory(common::UniqueFd descriptor, void* page, std::size_t size)
    : descriptor_(std::move(descriptor)),
      page_(page),
      size_(size),
      locked_(common::lock_sealed_memory(page, size)) {}

TokenPageMemory::TokenPageMemory(TokenPageMemory&& other) noexcept
    : descriptor_(std::move(other.descriptor_)),
      page_(std::exchange(other.page_, nullptr)),
      size_(other.size_),
      locked_(other.locked_) {}

TokenPageMemory::~TokenPageMemory() {
  if (page_ != nullptr) ::munmap(page_, size_);
}

std::expected<TokenPageMemory, std::string> TokenPageMemory::create(const token_page::Content& content) {
  const std::size_t size = token_page::page_size(content.sizes());
  common::UniqueFd made = common::make_sealed_memory("grantd-page", size, seals);
  if (!made) return failure("no memory for a token page can be made", errno);
  void* page = common::map_sealed_memory(made.get(), size, PROT_READ | PROT_WRITE);
  if (page == nullptr) return failure("a token page cannot be mapped", errno);
  TokenPageMemory memory{std::move(made), page, size};
  token_page::write(page, content);
  return memory;
}

std::expected<TokenPageMemory, std::string> TokenPageMemory::open(common::UniqueFd descriptor) {
  const auto size = common::sealed_size(descriptor.get(), seals);
  if (!size || *size < sizeof(token_page::Head)) return std::unexpected{"is no token page"};
  void* page = common::map_sealed_memory(descriptor.get(), *size, PROT_READ | PROT_WRITE);
  if (page == nullptr) return failure("cannot be mapped", errno);
  TokenPageMemory memory{std::move(descriptor), page, *size};
  using token_page::Reader;
  if (!Reader::is_any_page(page, *size)) return std::unexpected{"is no token page"};
  const bool is_readable = Reader::of(page, *size).has_value();
  if (is_readable && token_page::is_open(page)) return memory;
  // The process may have been killed before it had wiped what it closed.
  memory.close();
  return std::unexpected{is_readable ? "is closed" : "is damaged, or has another layout"};
}

// By comparison with the page itself: what is not compared is not relied on.
bool TokenPageMemory::holds(const token_page::Content& content) const {
  if (token_page::page_size(content.sizes()) != size_) return false;
  std::vector<token_page::Word> expected(size_ / sizeof(token_page::Word));
  token_page::write(expected.data(), content);
  return std::memcmp(expected.data(), page_, size_) == 0;
}

common::UniqueFd TokenPageMemory::open_for_reader() const {
  const std::string path = "/proc/self/fd/" + std::to_string(descriptor_.get());
  return common::UniqueFd{::open(path.c_str(), O_RDONLY | O_CLOEXEC)};
}

void TokenPageMemory::close() { token_page::close(page_, size_); }

}  // namespace grantd::daemon
