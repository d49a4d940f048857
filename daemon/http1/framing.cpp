// The one place that decides how long a message is. Beast's own reading of these fields is not used: it takes
// listed and repeated lengths, and codings other than exactly `chunked`.
#include "daemon/http1/framing.hpp"

#include <algorithm>
#include <charconv>

#include "common/ascii.hpp"

namespace grantd::daemon::http1 {

using ascii::equal_ignoring_case;
using boost::beast::http::field;

std::optional<std::string_view> Framing::add(field name, std::string_view value) {
  switch (name) {
    case field::content_length:
      return add_content_length(value);
    case field::transfer_encoding:
      if (chunked_) return "Transfer-Encoding is there twice";
      if (!equal_ignoring_case(value, "chunked")) return "Transfer-Encoding may only be exactly \"chunked\"";
      chunked_ = true;
      return std::nullopt;
    case field::connection:
      add_connection(value);
      return std::nullopt;
    default:
      return std::nullopt;
  }
}

std::optional<std::string_view> Framing::add_content_length(std::string_view value) {
  if (content_length_) return "Content-Length is there twice";
  const bool digits = std::ranges::all_of(value, ascii::is_digit);
  std::uint64_t length = 0;
  const auto end = value.data() + value.size();
  if (value.empty() || !digits || std::from_chars(value.data(), end, length).ec != std::errc{}) {
    return "Content-Length is not one decimal number";
  }
  content_length_ = length;
  return std::nullopt;
}

void Framing::add_connection(std::string_view list) {
  while (!list.empty()) {
    const auto comma = std::min(list.find(','), list.size());
    std::string_view option = list.substr(0, comma);
    list.remove_prefix(std::min(comma + 1, list.size()));
    const auto first = option.find_first_not_of(" \t");
    if (first == std::string_view::npos) continue;
    option = option.substr(first, option.find_last_not_of(" \t") - first + 1);
    close_ |= equal_ignoring_case(option, "close");
    keep_alive_ |= equal_ignoring_case(option, "keep-alive");
    upgrade_ |= equal_ignoring_case(option, "upgrade");
  }
}

std::optional<std::string_view> Framing::check(int minor_version) const {
  if (chunked_ && content_length_) return "there are both Content-Length and Transfer-Encoding";
  if (chunked_ && minor_version == 0) return "HTTP/1.0 knows no Transfer-Encoding";
  return std::nullopt;
}

}  // namespace grantd::daemon::http1
