// A token for C differs from one for C++ in the NULs between its parts; it is one allocation all the same.
#include "client-lib/src/c_token.hpp"

#include <string.h>

#include <new>
#include <string_view>

namespace grantd::detail {
namespace {

const char* give(std::string_view part, std::size_t* length) {
  if (length != nullptr) *length = part.size();
  return part.data();
}

char* put(char* at, std::string_view part) {
  ::memcpy(at, part.data(), part.size());
  at[part.size()] = '\0';
  return at + part.size() + 1;
}

}  // namespace

CToken make_c_token(const TokenText& text) {
  const std::size_t size = sizeof(grantd_token) + text.size() + 3;
  CToken token{new (::operator new(size)) grantd_token{text.sizes, text.expires_at}};
  char* at = reinterpret_cast<char*>(token.get() + 1);
  for (const std::string_view part : {text.authorization(), text.scope(), text.version()}) at = put(at, part);
  return token;
}

}  // namespace grantd::detail

using grantd::detail::give;

const char* grantd_token_value(const grantd_token* token, size_t* length) {
  return give(token->authorization().substr(std::size_t{token->sizes.type} + 1), length);
}

// The one part that no NUL follows.
const char* grantd_token_type(const grantd_token* token, size_t* length) {
  return give(token->authorization().starts_with("DPoP ") ? "DPoP" : "Bearer", length);
}

const char* grantd_token_scope(const grantd_token* token, size_t* length) {
  return give(token->scope(), length);
}

const char* grantd_token_version(const grantd_token* token, size_t* length) {
  return give(token->version(), length);
}

const char* grantd_token_authorization(const grantd_token* token, size_t* length) {
  return give(token->authorization(), length);
}

int64_t grantd_token_expires_at(const grantd_token* token) { return token->expires_at / 1'000'000'000; }

void grantd_token_free(grantd_token* token) {
  if (token == nullptr) return;
  const std::size_t size = token->size();
  ::explicit_bzero(token, size);
  ::operator delete(token, size);
}
