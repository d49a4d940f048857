// What an authorization server writes travels on to callers, logs and terminals: none of them may get bytes
// that mean something to it, nor a secret that a careless server echoes.
#include "daemon/oauth/oauth_text.hpp"

#include <algorithm>

#include "common/ascii.hpp"

namespace grantd::daemon {

namespace {

constexpr std::size_t longest_server_text = 512;
constexpr std::size_t longest_scope = 16384;
constexpr std::string_view withheld = "(withheld, because it repeats the client's credentials)";

bool is_allowed(char c) { return ascii::is_printable(c) && c != '"' && c != '\\'; }

std::string reduce(std::string_view text) {
  std::string reduced;
  reduced.reserve(text.size());
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (is_allowed(c)) {
      reduced += c;
    } else if (c == '\r' || c == '\n' || c == '\t') {
      reduced += ' ';
    } else if (c == '"') {
      reduced += '\'';
    } else if (byte < 0x80 || byte >= 0xc0) {  // one for a whole character of UTF-8
      reduced += '?';
    }
  }
  return reduced;
}

// Both are reduced, so that a secret is found in whatever of it would travel on, and without regard to case,
// because percent-encoding has two.
bool repeats(std::string_view reduced, std::span<const std::string_view> confidential) {
  const auto lower = [](std::string text) {
    std::ranges::transform(text, text.begin(), ascii::to_lower);
    return text;
  };
  const std::string text = lower(std::string{reduced});
  return std::ranges::any_of(confidential, [&](std::string_view secret) {
    const std::string wanted = lower(reduce(secret));
    return !wanted.empty() && text.find(wanted) != std::string::npos;
  });
}

}  // namespace

std::string reduce_server_text(std::string_view text, std::span<const std::string_view> confidential) {
  std::string reduced = reduce(text);
  if (repeats(reduced, confidential)) return std::string{withheld};
  reduced.resize(std::min(reduced.size(), longest_server_text));
  return reduced;
}

std::string reduce_scope(std::string_view text, std::span<const std::string_view> confidential) {
  if (repeats(reduce(text), confidential)) return {};
  std::string scope;
  while (!text.empty()) {
    const auto end = std::min(text.find(' '), text.size());
    std::string token;
    for (const char c : text.substr(0, end)) {
      if (is_allowed(c)) token += c;
    }
    text.remove_prefix(std::min(end + 1, text.size()));
    if (token.empty()) continue;
    if (scope.size() + token.size() + 1 > longest_scope) break;
    if (!scope.empty()) scope += ' ';
    scope += token;
  }
  return scope;
}

}  // namespace grantd::daemon
