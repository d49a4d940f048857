// A token of a thousand plain characters is the usual case, so these are recognized without a decision for
// each and copied at once; everything else is left to nlohmann/json.
#include "daemon/server/json_text.hpp"

#include <nlohmann/json.hpp>

namespace grantd::daemon {
namespace {

bool is_plain(std::string_view text) {
  bool special = false;
  for (const char c : text) special |= c < ' ' || c > '~' || c == '"' || c == '\\';
  return !special;
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
