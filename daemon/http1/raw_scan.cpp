// Runs before Beast's parser and refuses the shapes that it, or anything behind this daemon, might read
// leniently: line ends and line starts are where two parsers begin to disagree about where a message ends.
#include "daemon/http1/raw_scan.hpp"

namespace grantd::daemon::http1 {
namespace {

// Without branches inside the loop, so that the compiler can look at many bytes at once.
bool has_control_character(std::string_view line) {
  bool found = false;
  for (const char c : line) {
    const auto byte = static_cast<unsigned char>(c);
    found |= (byte < 0x20 && byte != '\t') || byte == 0x7f;
  }
  return found;
}

std::optional<std::string_view> check_field_line(std::string_view line) {
  if (line.front() == ' ' || line.front() == '\t') {
    return "a header line begins with white space (folded lines are obsolete)";
  }
  const auto colon = line.find(':');
  if (colon == std::string_view::npos) return "a header line has no colon";
  if (colon == 0) return "a header line has no name";
  if (line[colon - 1] == ' ' || line[colon - 1] == '\t')
    return "there is white space before a header's colon";
  return std::nullopt;
}

}  // namespace

std::optional<std::string_view> find_malformed_line(std::string_view head) {
  bool first = true;
  while (true) {
    const auto end = head.find('\n');
    if (end == std::string_view::npos) return "the head is incomplete";
    if (end == 0 || head[end - 1] != '\r') return "a line ends with a bare line feed";
    const auto line = head.substr(0, end - 1);
    head.remove_prefix(end + 1);
    if (line.empty()) {
      if (first) return "the head begins with an empty line";
      if (!head.empty()) return "bytes follow the head's empty line";
      return std::nullopt;
    }
    if (has_control_character(line)) return "the head holds a control character";
    if (!first) {
      if (const auto wrong = check_field_line(line)) return wrong;
    }
    first = false;
  }
}

}  // namespace grantd::daemon::http1
