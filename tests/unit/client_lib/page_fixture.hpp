#pragma once

#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include <chrono>
#include <cstdint>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

#include "client-lib/src/page_cache.hpp"
#include "client-lib/src/token_block.hpp"
#include "common/sealed_memory.hpp"
#include "common/token_page.hpp"

namespace grantd::tests {

/// A page as the daemon makes it, in the hands of a test that plays the daemon.
struct WrittenPage {
  static constexpr int seals = F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL;

  explicit WrittenPage(std::string value, std::chrono::seconds lifetime = std::chrono::hours{1},
                       std::chrono::seconds min_valid = std::chrono::seconds{10}) {
    token = std::move(value);
    timespec now{};
    ::clock_gettime(CLOCK_BOOTTIME, &now);
    const common::BootTime obtained{std::chrono::seconds{now.tv_sec} + std::chrono::nanoseconds{now.tv_nsec}};
    content = {.type = "Bearer",
               .token = token,
               .scope = "read write",
               .version = "v1",
               .obtained = obtained,
               .expires = obtained + lifetime,
               .expires_at = common::WallTime{std::chrono::seconds{1'800'000'000}},
               .min_valid = min_valid};
    size = token_page::page_size(content.sizes());
    descriptor = common::make_sealed_memory("page", size, seals);
    memory = common::map_sealed_memory(descriptor.get(), size, PROT_READ | PROT_WRITE);
    if (memory == nullptr) throw std::runtime_error{"no memory for a page"};
    token_page::write(memory, content);
  }
  ~WrittenPage() { ::munmap(memory, size); }
  WrittenPage(const WrittenPage&) = delete;
  WrittenPage& operator=(const WrittenPage&) = delete;

  void close() { token_page::close(memory, size); }
  token_page::Head& head() { return *static_cast<token_page::Head*>(memory); }
  char* text() { return static_cast<char*>(memory) + sizeof(token_page::Head); }

  std::string token;
  token_page::Content content{};
  std::size_t size = 0;
  common::UniqueFd descriptor;
  void* memory = nullptr;
};

inline std::optional<detail::PassedPage> passed(int descriptor) {
  return detail::PassedPage::take(detail::OwnDescriptor{::dup(descriptor)});
}

inline void keep(detail::PageCache& cache, std::string_view key, const WrittenPage& page) {
  if (const auto taken = passed(page.descriptor.get())) cache.keep(key, *taken);
}

inline std::optional<Token> token_of(detail::PageCache& cache, std::string_view key = "a",
                                     std::int64_t min_valid = detail::PageSlot::usual_validity) {
  Token token;
  const auto fill = [&token](const detail::TokenText& text) { detail::TokenBlock::fill(token, text); };
  if (!cache.copy(key, min_valid, fill)) return std::nullopt;
  return token;
}

inline bool is_uniform(std::string_view text) {
  return text.find_first_not_of(text[0]) == std::string_view::npos;
}

}  // namespace grantd::tests
