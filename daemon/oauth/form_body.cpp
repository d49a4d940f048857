// A tilde and an asterisk stay as they are, although a browser would encode the one of them and older rules
// the other: every decoder takes them literally, and so do the servers that never decode what stands in
// Basic.
#include "daemon/oauth/form_body.hpp"

#include "common/ascii.hpp"

namespace grantd::daemon {

namespace {

bool stays(char c) {
  return ascii::is_alphanumeric(c) || std::string_view{"*-._~"}.find(c) != std::string_view::npos;
}

void append_encoded(common::Secret& to, std::string_view text) {
  constexpr std::string_view hex = "0123456789ABCDEF";
  to.reserve(to.size() + 3 * text.size());
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    const char escape[] = {'%', hex[byte >> 4], hex[byte & 15]};
    if (stays(c)) {
      to.append({&c, 1});
    } else if (c == ' ') {
      to.append("+");
    } else {
      to.append({escape, sizeof escape});
    }
  }
}

}  // namespace

common::Secret form_encode(std::string_view text) {
  common::Secret encoded;
  append_encoded(encoded, text);
  return encoded;
}

void FormBody::add(std::string_view name, std::string_view value) {
  if (!text_.empty()) text_.append("&");
  append_encoded(text_, name);
  text_.append("=");
  append_encoded(text_, value);
}

}  // namespace grantd::daemon
