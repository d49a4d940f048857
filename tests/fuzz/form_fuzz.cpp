// What callers write into queries and Grantd-* headers: nothing crashes, and a list that was accepted is in
// canonical form, so that reading it once more changes nothing.
#include <cstdlib>
#include <string>

#include "daemon/catalog/request_syntax.hpp"
#include "daemon/catalog/token_access.hpp"

using namespace grantd::daemon;

namespace {

std::string joined(const std::vector<std::string>& list) {
  std::string text;
  for (const std::string& item : list) text.append(item).append(" ");
  return text;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  const std::string_view text{reinterpret_cast<const char*>(data), size};
  if (const auto scope = parse_scope(text); scope && parse_scope(joined(*scope)).value() != *scope)
    std::abort();
  if (const auto seconds = parse_min_valid(text);
      seconds && (*seconds < std::chrono::seconds{0} || *seconds > std::chrono::seconds{31'536'000})) {
    std::abort();
  }
  std::vector<std::string> values;
  if (const auto form = parse_form(text)) {
    for (const auto& [name, value] : *form) {
      if (name.size() + value.size() > size) std::abort();
      values.push_back(value);
    }
  }
  if (const auto resources = parse_resources(values);
      resources && parse_resources(*resources).value() != *resources) {
    std::abort();
  }
  return 0;
}
