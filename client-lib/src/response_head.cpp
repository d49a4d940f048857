// What the daemon sends is mostly what some API sent, so nothing about it is taken on trust: a head that two
// readers could understand differently is refused rather than guessed at.
#include "client-lib/src/response_head.hpp"

#include <algorithm>
#include <charconv>

#include "common/ascii.hpp"
#include "common/syntax.hpp"

namespace grantd::detail {

using ascii::equal_ignoring_case;
using syntax::is_field_value;

namespace {

std::string_view trimmed(std::string_view text) {
  constexpr std::string_view white = " \t";
  const auto first = text.find_first_not_of(white);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(white) - first + 1);
}

// Takes one line off the front, without its CRLF. Nothing where there is no line break, or a bare one in it.
std::optional<std::string_view> take_line(std::string_view& bytes) {
  const auto end = bytes.find("\r\n");
  if (end == std::string_view::npos) return std::nullopt;
  const auto line = bytes.substr(0, end);
  bytes.remove_prefix(end + 2);
  return line;
}

// "HTTP/1.1 200 OK"; the reason may be empty.
bool parse_status_line(std::string_view line, ResponseHead& head) {
  const bool http11 = line.starts_with("HTTP/1.1 ");
  if (!http11 && !line.starts_with("HTTP/1.0 ")) return false;
  line.remove_prefix(9);
  if (line.size() < 3 || !std::ranges::all_of(line.substr(0, 3), ascii::is_digit)) return false;
  std::from_chars(line.data(), line.data() + 3, head.status);
  line.remove_prefix(3);
  if (!line.empty() && !line.starts_with(' ')) return false;
  if (!line.empty()) line.remove_prefix(1);
  if (!is_field_value(line)) return false;
  head.reason = line;
  head.keep_alive = http11;
  return head.status >= 100;
}

bool parse_field(std::string_view line, ResponseHead& head) {
  const auto colon = line.find(':');
  if (colon == 0 || colon == std::string_view::npos) return false;
  const auto name = line.substr(0, colon);
  const auto value = trimmed(line.substr(colon + 1));
  if (!syntax::is_token(name) || !is_field_value(value)) return false;
  head.fields.emplace_back(name, value);
  return true;
}

bool list_has(std::string_view list, std::string_view token) {
  while (!list.empty()) {
    const auto end = std::min(list.find(','), list.size());
    if (equal_ignoring_case(trimmed(list.substr(0, end)), token)) return true;
    list.remove_prefix(std::min(end + 1, list.size()));
  }
  return false;
}

bool parse_size(std::string_view text, std::uint64_t& size) {
  const char* end = text.data() + text.size();
  const auto result = std::from_chars(text.data(), end, size);
  return result.ec == std::errc{} && result.ptr == end;
}

bool decide_framing(ResponseHead& head, bool answers_head_request) {
  bool chunked = false;
  bool fixed = false;
  for (const auto& [name, value] : head.fields) {
    if (equal_ignoring_case(name, "content-length")) {
      if (fixed || !parse_size(value, head.size)) return false;
      fixed = true;
    } else if (equal_ignoring_case(name, "transfer-encoding")) {
      if (chunked || !equal_ignoring_case(value, "chunked")) return false;
      chunked = true;
    } else if (equal_ignoring_case(name, "connection") && list_has(value, "close")) {
      head.keep_alive = false;
    }
  }
  if (chunked && fixed) return false;
  if (answers_head_request || head.status < 200 || head.status == 204 || head.status == 304) {
    head.framing = BodyFraming::none;
  } else if (chunked) {
    head.framing = BodyFraming::chunked;
  } else if (fixed) {
    head.framing = BodyFraming::fixed;
  } else {
    head.framing = BodyFraming::until_close;
    head.keep_alive = false;
  }
  return true;
}

}  // namespace

std::optional<std::string_view> ResponseHead::find(std::string_view name) const {
  for (const auto& field : fields) {
    if (equal_ignoring_case(field.first, name)) return field.second;
  }
  return std::nullopt;
}

std::optional<ResponseHead> parse_response_head(std::string_view bytes, bool answers_head_request) {
  ResponseHead head;
  const auto status_line = take_line(bytes);
  if (!status_line || !parse_status_line(*status_line, head)) return std::nullopt;
  while (true) {
    const auto line = take_line(bytes);
    if (!line) return std::nullopt;
    if (line->empty()) break;
    if (!parse_field(*line, head)) return std::nullopt;
  }
  if (!bytes.empty() || !decide_framing(head, answers_head_request)) return std::nullopt;
  return head;
}

}  // namespace grantd::detail
