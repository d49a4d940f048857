// What requests and responses have in common once they are parsed, and where a head ends. The end is found at
// bare line feeds, too, so that a head made of them is refused at once instead of being waited for until its
// deadline.
#include "daemon/http1/head.hpp"

#include <algorithm>
#include <cstring>

#include "common/ascii.hpp"

namespace grantd::daemon::http1 {

using ascii::equal_ignoring_case;

namespace {

constexpr std::string_view secret_fields[] = {"Authorization", "Proxy-Authorization", "Cookie",
                                              "DPoP",          "Grantd-Assertion",    "Grantd-Parameters"};

}  // namespace

bool list_has(const Head& head, std::string_view name, std::string_view token) {
  for (const Field& field : head.fields) {
    if (!equal_ignoring_case(field.name, name)) continue;
    std::string_view rest = field.value;
    while (!rest.empty()) {
      const auto comma = std::min(rest.find(','), rest.size());
      std::string_view element = rest.substr(0, comma);
      rest.remove_prefix(std::min(comma + 1, rest.size()));
      const auto first = element.find_first_not_of(" \t");
      if (first == std::string_view::npos) continue;
      element = element.substr(first, element.find_last_not_of(" \t") - first + 1);
      if (equal_ignoring_case(element, token)) return true;
    }
  }
  return false;
}

std::optional<std::string_view> Head::find(std::string_view name) const {
  for (const Field& field : fields) {
    if (equal_ignoring_case(field.name, name)) return field.value;
  }
  return std::nullopt;
}

bool may_be_remembered(const RequestHead& head) {
  if (head.body.kind != BodyLength::Kind::none || head.wants_upgrade) return false;
  return std::ranges::none_of(head.fields, [](const Field& field) {
    return std::ranges::any_of(secret_fields,
                               [&](std::string_view name) { return equal_ignoring_case(field.name, name); });
  });
}

void refer_to_copy(RequestHead& head, std::string_view original, std::string_view copy) {
  const auto move = [&](std::string_view& view) {
    if (!view.empty())
      view = copy.substr(static_cast<std::size_t>(view.data() - original.data()), view.size());
  };
  for (Field& field : head.fields) {
    move(field.name);
    move(field.value);
  }
  for (auto* view : {&head.method, &head.target, &head.path, &head.query, &head.host}) move(*view);
}

std::optional<std::size_t> head_size(std::string_view bytes) {
  std::size_t at = 0;
  while (at < bytes.size()) {
    const void* found = std::memchr(bytes.data() + at, '\n', bytes.size() - at);
    if (found == nullptr) return std::nullopt;
    at = static_cast<std::size_t>(static_cast<const char*>(found) - bytes.data()) + 1;
    const std::string_view rest = bytes.substr(at);
    if (rest.starts_with('\n')) return at + 1;
    if (rest.starts_with("\r\n")) return at + 2;
  }
  return std::nullopt;
}

}  // namespace grantd::daemon::http1
