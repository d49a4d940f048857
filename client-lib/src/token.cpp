// One block for all strings: a copy is one allocation and one memcpy, and there is one place to wipe. Type
// and value stand beside each other the way the Authorization header wants them.
#include "grantd/token.hpp"

#include <string.h>

#include <utility>

namespace grantd {

Token::Token(const Parts& parts)
    : sizes_{.type = parts.type.size(),
             .value = parts.value.size(),
             .scope = parts.scope.size(),
             .version = parts.version.size()},
      expires_at_(parts.expires_at) {
  block_ = std::make_unique_for_overwrite<char[]>(size());
  char* end = block_.get();
  for (const std::string_view part :
       {parts.type, std::string_view{" "}, parts.value, parts.scope, parts.version}) {
    end += part.copy(end, part.size());
  }
}

Token::Token(const Token& other) : sizes_(other.sizes_), expires_at_(other.expires_at_) {
  if (!other.block_) return;
  block_ = std::make_unique_for_overwrite<char[]>(size());
  ::memcpy(block_.get(), other.block_.get(), size());
}

Token& Token::operator=(const Token& other) {
  if (this != &other) *this = Token{other};
  return *this;
}

Token::Token(Token&& other) noexcept
    : block_(std::move(other.block_)),
      sizes_(std::exchange(other.sizes_, {})),
      expires_at_(std::exchange(other.expires_at_, {})) {}

Token& Token::operator=(Token&& other) noexcept {
  if (this == &other) return *this;
  wipe();
  block_ = std::move(other.block_);
  sizes_ = std::exchange(other.sizes_, {});
  expires_at_ = std::exchange(other.expires_at_, {});
  return *this;
}

Token::~Token() { wipe(); }

void Token::wipe() noexcept {
  if (block_) ::explicit_bzero(block_.get(), size());
}

}  // namespace grantd
