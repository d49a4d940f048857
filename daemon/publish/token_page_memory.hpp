#pragma once

#include <cstddef>
#include <expected>
#include <string>

#include "common/token_page.hpp"
#include "common/unique_fd.hpp"

namespace grantd::daemon {

/// A page in sealed memory of its own (memfd_create(2)), as its only writer holds it: of a fixed size, and
/// for others neither to be written nor to be opened for writing. Dropping this leaves the page as it is.
/// Loop thread only.
class TokenPageMemory {
 public:
  /// The error is a sentence.
  static std::expected<TokenPageMemory, std::string> create(const token_page::Content& content);
  /// An open page that an earlier process made and somebody held. Any other page is closed, also one of
  /// another layout. The error ends a sentence about the descriptor.
  static std::expected<TokenPageMemory, std::string> open(common::UniqueFd descriptor);

  TokenPageMemory(TokenPageMemory&& other) noexcept;
  TokenPageMemory& operator=(TokenPageMemory&&) = delete;
  ~TokenPageMemory();

  int descriptor() const { return descriptor_.get(); }
  /// Whether it is open and just as `create` would make it of this content.
  bool holds(const token_page::Content& content) const;
  /// Whether it stays out of swap for as long as this lives.
  bool locked() const { return locked_; }
  /// A description of its own that can only be read; none where the process has no descriptor left.
  common::UniqueFd open_for_reader() const;
  bool is_open() const { return token_page::is_open(page_); }
  /// For good, and for everybody.
  void close();

 private:
  TokenPageMemory(common::UniqueFd descriptor, void* page, std::size_t size);

  common::UniqueFd descriptor_;
  void* page_;
  std::size_t size_;
  bool locked_;
};

}  // namespace grantd::daemon
