// Any text at all as a configuration: no crash, no endless loop, and no message that quotes a configured
// value.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "config/interpret.hpp"

namespace {

constexpr std::string_view marker = "Marker-Of-A-Secret-Value";

/// The input as two files, cut at a form feed; every `@` in it becomes an equals sign and the marker as a
/// value.
grantd::config::SourceFiles sources_of(std::string_view input) {
  grantd::config::SourceFiles sources;
  const auto cut = std::min(input.find('\f'), input.size());
  const std::string_view texts[] = {input.substr(0, cut), input.substr(std::min(cut + 1, input.size()))};
  for (const std::string_view text : texts) {
    grantd::common::Secret expanded;
    for (const char c : text) {
      if (c == '@') {
        expanded.append("= '");
        expanded.append(marker);
        expanded.append("' ");
      } else {
        expanded.append({&c, 1});
      }
    }
    sources.files.push_back({.path = "fuzz.toml", .text = std::move(expanded), .access = {}});
  }
  return sources;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto sources = sources_of({reinterpret_cast<const char*>(data), size});
  const auto settings = grantd::config::interpret(sources);
  if (settings) return 0;
  if (settings.error().empty()) std::abort();
  for (const auto& error : settings.error()) {
    // The messages alone: where the marker got into a key, it is named as one.
    if (error.message.find(marker) != std::string::npos) std::abort();
    if (error.text().empty()) std::abort();
  }
  return 0;
}
