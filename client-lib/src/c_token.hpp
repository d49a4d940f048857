#pragma once

#include <memory>
#include <string_view>

#include "client-lib/src/token_text.hpp"
#include "grantd/grantd.h"

/// One block: this, and behind it authorization, scope and version, each with a NUL.
struct grantd_token {
  grantd::token_page::Sizes sizes;
  std::int64_t expires_at;  // nanoseconds since 1970

  std::string_view authorization() const {
    return {reinterpret_cast<const char*>(this + 1), std::size_t{sizes.type} + 1 + sizes.token};
  }
  std::string_view scope() const {
    return {authorization().data() + authorization().size() + 1, sizes.scope};
  }
  std::string_view version() const { return {scope().data() + sizes.scope + 1, sizes.version}; }
  std::size_t size() const { return sizeof *this + grantd::token_page::text_size(sizes) + 3; }
};

namespace grantd::detail {

struct TokenFree {
  void operator()(grantd_token* token) const { grantd_token_free(token); }
};
using CToken = std::unique_ptr<grantd_token, TokenFree>;

CToken make_c_token(const TokenText& text);

}  // namespace grantd::detail
