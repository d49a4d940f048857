// The one place where bytes of callers become a request, and so the one that keeps them from becoming two.
#include "client-lib/src/request_head.hpp"

#include <algorithm>
#include <utility>

#include "common/ascii.hpp"
#include "common/local_api.hpp"
#include "common/syntax.hpp"
#include "grantd/error.hpp"

namespace grantd::detail {

void refuse(std::string_view sentence) { throw Error("invalid_request", sentence); }

RequestHead::RequestHead(std::string_view method, std::string_view target) {
  if (!syntax::is_token(method)) refuse("the method is not a token of RFC 9110");
  // No character that ends or splits a request line, and no fragment, which never travels.
  const auto travels = [](char c) { return ascii::is_visible(c) && c != '#'; };
  if (!target.starts_with('/') || !std::ranges::all_of(target, travels)) {
    refuse("the path holds a character that must be percent-encoded");
  }
  text_.reserve(512);
  text_.append(method);
  text_.append(" ");
  text_.append(target);
  text_.append(" HTTP/1.1\r\n");
  field("Host", local_api::localhost);
}

void RequestHead::field(std::string_view name, std::string_view value) {
  if (!syntax::is_token(name)) refuse("a header's name is not a token of RFC 9110");
  if (!syntax::is_field_value(value)) {
    refuse("the header " + std::string{name} + " has a control character in its value");
  }
  text_.append(name);
  text_.append(": ");
  text_.append(value);
  text_.append("\r\n");
}

void RequestHead::content_length(std::uint64_t size) { field("Content-Length", std::to_string(size)); }

void RequestHead::chunked() { field("Transfer-Encoding", "chunked"); }

common::Secret RequestHead::finish() && {
  text_.append("\r\n");
  return std::move(text_);
}

std::string percent_encoded(std::string_view text) {
  constexpr std::string_view hex = "0123456789ABCDEF";
  std::string out;
  for (const char c : text) {
    if (ascii::is_alphanumeric(c) || c == '-' || c == '.' || c == '_' || c == '~') {
      out += c;
    } else {
      const auto byte = static_cast<unsigned char>(c);
      out += '%';
      out += hex[byte >> 4];
      out += hex[byte & 15];
    }
  }
  return out;
}

}  // namespace grantd::detail
