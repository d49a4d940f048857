// The path is never rewritten, only judged: an API may mean something by `%2F`, but nobody means anything
// good by a path that climbs out of the base URL in the eyes of some server behind it.
#include "daemon/proxy/target.hpp"

namespace grantd::daemon {
namespace {

/// The character at the front of `path` with the three escapes decoded, taken off the front.
char take_decoded(std::string_view& path) {
  if (path.size() >= 3 && path[0] == '%') {
    const char high = path[1];
    const char low = static_cast<char>(path[2] | 0x20);
    char decoded = 0;
    if (high == '2' && low == 'e') decoded = '.';
    if (high == '2' && low == 'f') decoded = '/';
    if (high == '5' && low == 'c') decoded = '\\';
    if (decoded != 0) {
      path.remove_prefix(3);
      return decoded;
    }
  }
  const char plain = path[0];
  path.remove_prefix(1);
  return plain;
}

}  // namespace

bool has_dot_segment(std::string_view path) {
  int dots = 0;           // in the segment so far
  bool only_dots = true;  // before any `;`
  bool in_parameters = false;
  const auto climbs = [&] { return only_dots && (dots == 1 || dots == 2); };
  while (!path.empty()) {
    const char c = take_decoded(path);
    if (c == '/' || c == '\\') {
      if (climbs()) return true;
      dots = 0;
      only_dots = true;
      in_parameters = false;
    } else if (c == ';') {
      in_parameters = true;
    } else if (!in_parameters) {
      if (c == '.') {
        ++dots;
      } else {
        only_dots = false;
      }
    }
  }
  return climbs();
}

common::Result<void> append_api_target(std::string& out, std::string_view base_path,
                                       std::string_view target) {
  if (!target.starts_with('/')) {
    return common::fail(common::ErrorCode::invalid_request,
                        "the path of a request to an API begins with a slash");
  }
  if (has_dot_segment(target.substr(0, target.find('?')))) {
    return common::fail(common::ErrorCode::invalid_request,
                        "the path has a segment \".\" or \"..\" (also when written with %2e, %2f or %5c); "
                        "write the path without it");
  }
  if (base_path.ends_with('/')) base_path.remove_suffix(1);
  out.append(base_path).append(target);
  return {};
}

}  // namespace grantd::daemon
