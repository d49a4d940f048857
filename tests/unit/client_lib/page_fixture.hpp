#pragma once

#include <sys/mman.h>
#include <time.h>

#include <chrono>
#include <stdexcept>
#include <string>
#include <utility>

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

}  // namespace grantd::tests
