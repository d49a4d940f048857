#pragma once

#include <string.h>

#include <chrono>
#include <cstdint>
#include <memory>

#include "common/token_page.hpp"
#include "grantd/token.hpp"

namespace grantd::detail {

/// Makes a Token out of a page's text, which has its parts in the same order and so is copied at once.
struct TokenBlock {
  static Token make(const token_page::Sizes& sizes, std::int64_t expires_at, const char* text) {
    Token token;
    token.sizes_ = {.type = sizes.type, .value = sizes.token, .scope = sizes.scope, .version = sizes.version};
    token.block_ = std::make_unique_for_overwrite<char[]>(token.size());
    ::memcpy(token.block_.get(), text, token.size());
    token.expires_at_ =
        std::chrono::system_clock::time_point{std::chrono::duration_cast<std::chrono::system_clock::duration>(
            std::chrono::nanoseconds{expires_at})};
    return token;
  }
};

}  // namespace grantd::detail
