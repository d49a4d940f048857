#pragma once

#include <string.h>

#include <chrono>
#include <cstdint>
#include <memory>

#include "client-lib/src/token_text.hpp"
#include "grantd/token.hpp"

namespace grantd::detail {

/// A page's text and a Token have the same parts in the same order: one is copied into the other at once.
struct TokenBlock {
  /// Valid as long as the token is unchanged.
  static TokenText text(const Token& token) {
    const auto size = [](std::size_t of_a_part) { return static_cast<std::uint32_t>(of_a_part); };
    const auto since_1970 = token.expires_at_.time_since_epoch();
    return {.sizes = {.type = size(token.sizes_.type),
                      .token = size(token.sizes_.value),
                      .scope = size(token.sizes_.scope),
                      .version = size(token.sizes_.version)},
            .expires_at = std::chrono::duration_cast<std::chrono::nanoseconds>(since_1970).count(),
            .characters = token.block_.get()};
  }
  /// `token` is empty.
  static void fill(Token& token, const TokenText& text) {
    token.sizes_ = {.type = text.sizes.type,
                    .value = text.sizes.token,
                    .scope = text.sizes.scope,
                    .version = text.sizes.version};
    token.block_ = std::make_unique_for_overwrite<char[]>(token.size());
    ::memcpy(token.block_.get(), text.characters, token.size());
    using Clock = std::chrono::system_clock;
    token.expires_at_ = Clock::time_point{
        std::chrono::duration_cast<Clock::duration>(std::chrono::nanoseconds{text.expires_at})};
  }
};

}  // namespace grantd::detail
