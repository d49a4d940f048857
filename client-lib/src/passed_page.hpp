#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>

#include "client-lib/src/own_descriptor.hpp"
#include "client-lib/src/token_text.hpp"
#include "common/token_page.hpp"

namespace grantd::detail {

/// A token page (docs/token-page.md) as it came from the daemon: checked, and its token copied, which is
/// wiped when this is dropped.
class PassedPage {
 public:
  /// Nothing: what the descriptor stands for is no page that this library can read, or has been closed.
  static std::optional<PassedPage> take(OwnDescriptor descriptor);
  PassedPage(PassedPage&&) = default;
  PassedPage& operator=(PassedPage&&) = delete;
  ~PassedPage();

  TokenText text() const;
  const token_page::Head& head() const { return head_; }
  const OwnDescriptor& descriptor() const { return descriptor_; }

 private:
  PassedPage(OwnDescriptor descriptor, const token_page::Reader& reader);

  OwnDescriptor descriptor_;
  token_page::Head head_;
  std::size_t words_;
  std::unique_ptr<token_page::Word[]> text_;
};

}  // namespace grantd::detail
