// A path that the proxy lets through must not climb for a server that decodes it once, splits it at both
// slashes and cuts path parameters off. The reference does just that, in the plainest way.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "daemon/proxy/target.hpp"

namespace {

std::string decoded(std::string_view path) {
  std::string out;
  for (std::size_t i = 0; i < path.size(); ++i) {
    const std::string_view escape = path.substr(i, 3);
    const bool dot = escape == "%2e" || escape == "%2E";
    const bool slash = escape == "%2f" || escape == "%2F";
    const bool backslash = escape == "%5c" || escape == "%5C";
    if (dot || slash || backslash) {
      out += dot ? '.' : '/';
      i += 2;
    } else {
      out += path[i] == '\\' ? '/' : path[i];
    }
  }
  return out + '/';
}

bool climbs(std::string_view path) {
  const std::string plain = decoded(path);
  std::string segment;
  for (const char c : plain) {
    if (c != '/') {
      segment += c;
      continue;
    }
    const std::string name = segment.substr(0, segment.find(';'));
    if (name == "." || name == "..") return true;
    segment.clear();
  }
  return false;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string target = "/" + std::string{reinterpret_cast<const char*>(data), size};
  std::string joined;
  const bool passed = grantd::daemon::append_api_target(joined, "/base", target).has_value();
  if (passed == climbs(target.substr(0, target.find('?')))) std::abort();
  if (passed && joined != "/base" + target) std::abort();
  return 0;
}
