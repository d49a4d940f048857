// A token of a thousand plain characters is the usual case, so these are recognized many at a time and copied
// at once; everything else is left to nlohmann/json.
#include "daemon/server/json_text.hpp"

#include <cstdint>
#include <cstring>
#include <nlohmann/json.hpp>

namespace grantd::daemon {
namespace {

/// Sixteen characters looked at together, in a form that GCC and clang turn into vector instructions.
using Block [[gnu::vector_size(16)]] = signed char;

// As signed numbers everything outside ASCII is below the space, too.
Block special(Block block) { return (block < ' ') | (block == 0x7f) | (block == '"') | (block == '\\'); }

bool is_plain(std::string_view text) {
  Block found{};
  Block block;
  for (; text.size() >= sizeof block; text.remove_prefix(sizeof block)) {
    std::memcpy(&block, text.data(), sizeof block);
    found |= special(block);
  }
  char rest[sizeof block];
  std::memset(rest, 'x', sizeof rest);
  if (!text.empty()) std::memcpy(rest, text.data(), text.size());
  std::memcpy(&block, rest, sizeof block);
  found |= special(block);
  std::uint64_t halves[2];
  std::memcpy(halves, &found, sizeof halves);
  return (halves[0] | halves[1]) == 0;
}

}  // namespace

void append_json_string(std::string& out, std::string_view text) {
  if (is_plain(text)) {
    out.append(1, '"').append(text).append(1, '"');
    return;
  }
  using nlohmann::json;
  out += json(text).dump(-1, ' ', false, json::error_handler_t::replace);
}

}  // namespace grantd::daemon
