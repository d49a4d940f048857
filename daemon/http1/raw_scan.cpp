// Runs before Beast's parser and refuses the shapes that it, or anything behind this daemon, might read
// leniently: line ends and line starts are where two parsers begin to disagree about where a message ends.
#include "daemon/http1/raw_scan.hpp"

#include <cstdint>
#include <cstring>

namespace grantd::daemon::http1 {
namespace {

/// Sixteen bytes looked at together, in a form that GCC and clang turn into vector instructions.
using Block [[gnu::vector_size(16)]] = signed char;

// Signed, so that bytes over 0x7f are negative. Line ends are judged line by line.
Block controls(Block block) {
  return ((block < ' ') & (block >= 0) & (block != '\t') & (block != '\r') & (block != '\n')) |
         (block == 0x7f);
}

bool has_control_character(std::string_view head) {
  Block found{};
  Block block;
  for (; head.size() >= sizeof block; head.remove_prefix(sizeof block)) {
    std::memcpy(&block, head.data(), sizeof block);
    found |= controls(block);
  }
  char rest[sizeof block];
  std::memset(rest, ' ', sizeof rest);
  if (!head.empty()) std::memcpy(rest, head.data(), head.size());
  std::memcpy(&block, rest, sizeof block);
  found |= controls(block);
  std::uint64_t halves[2];
  std::memcpy(halves, &found, sizeof halves);
  return (halves[0] | halves[1]) != 0;
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
  if (has_control_character(head)) return "the head holds a control character";
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
    if (line.find('\r') != std::string_view::npos) return "a line holds a bare carriage return";
    if (!first) {
      if (const auto wrong = check_field_line(line)) return wrong;
    }
    first = false;
  }
}

}  // namespace grantd::daemon::http1
