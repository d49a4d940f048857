// A token is used in a request's header by whoever gets it, so what could break out of a header is no token,
// wherever it comes from.
#include "client-lib/src/passed_page.hpp"

#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>

#include <algorithm>
#include <string_view>
#include <utility>

#include "common/ascii.hpp"
#include "common/sealed_memory.hpp"

namespace grantd::detail {
namespace {

constexpr int page_seals = F_SEAL_GROW | F_SEAL_SHRINK;

class Mapping {
 public:
  explicit Mapping(int descriptor) {
    const auto size = common::sealed_size(descriptor, page_seals);
    if (!size || *size > std::size_t{token_page::largest_page} * 2) return;
    base_ = common::map_sealed_memory(descriptor, *size, PROT_READ);
    size_ = *size;
  }
  ~Mapping() {
    if (base_ != nullptr) ::munmap(base_, size_);
  }
  Mapping(const Mapping&) = delete;
  Mapping& operator=(const Mapping&) = delete;

  std::optional<token_page::Reader> reader() const {
    return base_ != nullptr ? token_page::Reader::of(base_, size_) : std::nullopt;
  }

 private:
  void* base_ = nullptr;
  std::size_t size_ = 0;
};

bool is_token(const TokenText& text) {
  const auto visible = [](std::string_view part) {
    return !part.empty() && std::ranges::all_of(part, ascii::is_visible);
  };
  return (text.type() == "Bearer" || text.type() == "DPoP") && text.characters[text.sizes.type] == ' ' &&
         visible(text.value()) && visible(text.version());
}

}  // namespace

PassedPage::PassedPage(OwnDescriptor descriptor, const token_page::Reader& reader)
    : descriptor_(std::move(descriptor)),
      head_(reader.head()),
      words_(reader.text_words()),
      text_(std::make_unique_for_overwrite<token_page::Word[]>(words_)) {}

PassedPage::~PassedPage() {
  if (text_) ::explicit_bzero(text_.get(), words_ * sizeof(token_page::Word));
}

std::optional<PassedPage> PassedPage::take(OwnDescriptor descriptor) {
  const Mapping mapping{descriptor.get()};
  const auto reader = mapping.reader();
  if (!reader) return std::nullopt;
  std::optional<PassedPage> page{PassedPage{std::move(descriptor), *reader}};
  if (!reader->copy_text(page->text_.get()) || !is_token(page->text())) page.reset();
  return page;
}

TokenText PassedPage::text() const {
  return {.sizes = head_.sizes,
          .expires_at = head_.expires_at,
          .characters = reinterpret_cast<const char*>(text_.get())};
}

}  // namespace grantd::detail
