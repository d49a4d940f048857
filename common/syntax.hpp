#pragma once

#include <algorithm>
#include <string_view>

#include "common/ascii.hpp"

/// Rules of text that the configuration, the daemon and its clients apply alike.
namespace grantd::syntax {

/// `tchar` of RFC 9110 section 5.6.2.
constexpr bool is_token_character(char c) {
  return ascii::is_alphanumeric(c) || std::string_view{"!#$%&'*+-.^_`|~"}.find(c) != std::string_view::npos;
}

/// `token` of RFC 9110 section 5.6.2: methods and field names.
constexpr bool is_token(std::string_view text) {
  return !text.empty() && std::ranges::all_of(text, is_token_character);
}

/// What may stand in a field value, RFC 9110 section 5.5: anything but control characters, and the tab.
constexpr bool is_field_character(char c) { return !ascii::is_control(c) || c == '\t'; }

constexpr bool is_field_value(std::string_view text) { return std::ranges::all_of(text, is_field_character); }

/// `NQCHAR` of RFC 6749 appendix A, of which scopes are made.
constexpr bool is_scope_character(char c) { return ascii::is_visible(c) && c != '"' && c != '\\'; }

/// RFC 9449 section 8.1, as far as it fits into a head that servers accept.
constexpr bool is_dpop_nonce(std::string_view text) {
  return !text.empty() && text.size() <= 1024 && std::ranges::all_of(text, is_scope_character);
}

/// What names of clients and APIs are made of.
constexpr bool is_name_character(char c) {
  return ascii::is_alphanumeric(c) || c == '.' || c == '_' || c == '-';
}

/// Whether a client or an API may have this name: 1 to 128 such characters, one of which is no dot.
constexpr bool is_definition_name(std::string_view name) {
  return name.size() <= 128 && std::ranges::all_of(name, is_name_character) &&
         name.find_first_not_of('.') != std::string_view::npos;
}

/// `absolute-URI` of RFC 3986 section 4.3 as far as its scheme goes: what RFC 8707 wants of a resource.
/// Printable ASCII throughout.
constexpr bool is_absolute_uri(std::string_view text) {
  const auto colon = text.find(':');
  if (colon == 0 || colon == std::string_view::npos || colon + 1 == text.size()) return false;
  const auto in_scheme = [](char c) { return ascii::is_alphanumeric(c) || c == '+' || c == '-' || c == '.'; };
  return ascii::is_letter(text.front()) && std::ranges::all_of(text.substr(0, colon), in_scheme) &&
         std::ranges::all_of(text, [](char c) { return ascii::is_visible(c) && c != '#'; });
}

}  // namespace grantd::syntax
