// Whatever descriptor a daemon hands over as a token page: nothing in it is read out of bounds, and what is
// taken for a token can travel in a header. The first byte says what the rest is: memory as it is, with and
// without seals; laid over a good page; or what a pipe or an ordinary file gives.
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "client-lib/src/page_cache.hpp"
#include "client-lib/src/token_block.hpp"
#include "common/sealed_memory.hpp"
#include "common/token_page.hpp"

namespace {

using namespace grantd;
using detail::OwnDescriptor;

constexpr int seals = F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL;
constexpr std::string_view key = "a";

OwnDescriptor memory_with(std::string_view bytes, bool sealed) {
  common::UniqueFd made =
      sealed ? common::make_sealed_memory("page", std::max<std::size_t>(bytes.size(), 1), seals)
             : common::UniqueFd{::memfd_create("page", MFD_CLOEXEC)};
  if (!made || ::pwrite(made.get(), bytes.data(), bytes.size(), 0) < 0) std::abort();
  return OwnDescriptor{made.release()};
}

OwnDescriptor pipe_with(std::string_view bytes) {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC | O_NONBLOCK) != 0) std::abort();
  static_cast<void>(!::write(ends[1], bytes.data(), bytes.size()));
  ::close(ends[1]);
  return OwnDescriptor{ends[0]};
}

std::vector<std::uint64_t> good_page() {
  const token_page::Content content{.type = "Bearer",
                                    .token = "a-token-of-some-length",
                                    .scope = "read write",
                                    .version = "v1",
                                    .obtained = {},
                                    .expires = common::BootTime::max(),
                                    .expires_at = {},
                                    .min_valid = {}};
  std::vector<std::uint64_t> page(token_page::page_size(content.sizes()) / sizeof(std::uint64_t) + 8);
  token_page::write(page.data(), content);
  return page;
}

// A good page with the input in place of what stands at the second byte's place, cut off at the third's.
OwnDescriptor altered_page(std::string_view input) {
  auto words = good_page();
  std::string page{reinterpret_cast<const char*>(words.data()), words.size() * sizeof words[0]};
  if (input.size() > 2) {
    const std::size_t at = static_cast<unsigned char>(input[0]) % page.size();
    const std::size_t cut = static_cast<unsigned char>(input[1]);
    input = input.substr(2, page.size() - at);
    page.replace(at, input.size(), input);
    if (cut != 0) page.resize(std::min(page.size(), cut));
  }
  return memory_with(page, true);
}

OwnDescriptor descriptor_of(unsigned char kind, std::string_view input) {
  switch (kind % 5) {
    case 0:
      return altered_page(input);
    case 1:
      return memory_with(input, true);
    case 2:
      return memory_with(input, false);
    case 3:
      return pipe_with(input);
    default:
      return OwnDescriptor{::open("/proc/self/exe", O_RDONLY | O_CLOEXEC)};
  }
}

void check(const detail::TokenText& text) {
  std::string all{text.characters, text.size()};
  if (text.authorization().find_first_of("\r\n") != std::string_view::npos) std::abort();
  if (text.value().empty() || text.version().empty()) std::abort();
}

}  // namespace

// NOLINTNEXTLINE(misc-use-internal-linkage): libFuzzer calls it by name
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view input{reinterpret_cast<const char*>(data) + 1, size - 1};
  const auto page = detail::PassedPage::take(descriptor_of(data[0], input));
  if (!page) return 0;
  check(page->text());
  detail::PageCache cache;
  cache.keep(key, *page);
  Token token;
  if (cache.copy(key, 0,
                 [&token](const detail::TokenText& text) { detail::TokenBlock::fill(token, text); }) &&
      token.value() != page->text().value())
    std::abort();
  return 0;
}
