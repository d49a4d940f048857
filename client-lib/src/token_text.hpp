#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "common/token_page.hpp"

namespace grantd::detail {

/// A token as it stands in a page: type, a space, value, scope and version in one piece, which is somebody
/// else's.
struct TokenText {
  token_page::Sizes sizes;
  std::int64_t expires_at;  // nanoseconds since 1970
  const char* characters;

  std::size_t size() const { return token_page::text_size(sizes); }
  std::string_view type() const { return {characters, sizes.type}; }
  std::string_view value() const { return {characters + sizes.type + 1, sizes.token}; }
  std::string_view authorization() const { return {characters, std::size_t{sizes.type} + 1 + sizes.token}; }
  std::string_view scope() const { return {characters + authorization().size(), sizes.scope}; }
  std::string_view version() const { return {scope().data() + sizes.scope, sizes.version}; }
};

}  // namespace grantd::detail
