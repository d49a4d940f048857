// None of these accepts two spellings of doubtful meaning: "1.5h", "1h30m" and "60" are refused rather than
// guessed at.
#include "config/values.hpp"

#include <sys/un.h>

#include <algorithm>
#include <charconv>
#include <limits>

#include "common/ascii.hpp"
#include "common/syntax.hpp"

namespace grantd::config {

namespace {

using Failure = std::unexpected<std::string>;

struct Unit {
  std::string_view name;
  std::uint64_t factor;
};

/// The integer before one of the units times its factor, where that is at most `most`.
std::optional<std::uint64_t> parse_quantity(std::string_view text, std::span<const Unit> units,
                                            std::uint64_t most) {
  const auto digits =
      static_cast<std::size_t>(std::ranges::find_if_not(text, ascii::is_digit) - text.begin());
  const auto unit = std::ranges::find(units, text.substr(digits), &Unit::name);
  std::uint64_t number = 0;
  const auto [stop, error] = std::from_chars(text.data(), text.data() + digits, number);
  if (digits == 0 || unit == units.end() || error != std::errc{} || number > most / unit->factor)
    return std::nullopt;
  return number * unit->factor;
}

std::string size_text(std::size_t bytes) {
  constexpr std::size_t mebibyte = std::size_t{1} << 20;
  return bytes % mebibyte == 0 ? std::to_string(bytes / mebibyte) + "MiB" : std::to_string(bytes) + "B";
}

}  // namespace

Parsed<Duration> parse_duration(std::string_view text) {
  constexpr Unit units[] = {{"ms", 1}, {"s", 1000}, {"m", 60'000}, {"h", 3'600'000}};
  constexpr Duration longest = std::chrono::hours{24};
  const auto count = parse_quantity(text, units, static_cast<std::uint64_t>(longest.count()));
  if (count && *count > 0) return Duration{*count};
  return Failure{
      "expected a duration of one integer and one unit (ms, s, m, h), above zero and at most \"24h\", such "
      "as \"60s\""};
}

Parsed<std::size_t> parse_size(std::string_view text, std::size_t most) {
  constexpr Unit units[] = {{"B", 1}, {"KiB", 1U << 10}, {"MiB", 1U << 20}, {"GiB", 1U << 30}};
  if (const auto bytes = parse_quantity(text, units, most)) return static_cast<std::size_t>(*bytes);
  return Failure{"expected a size of one integer and one unit (B, KiB, MiB, GiB), at most \"" +
                 size_text(most) + "\", such as \"64KiB\""};
}

Parsed<std::uint32_t> parse_mode(std::string_view text) {
  std::uint32_t mode = 0;
  const auto* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, mode, 8);
  if (text.size() >= 3 && text.size() <= 4 && error == std::errc{} && stop == end && mode <= 0777)
    return mode;
  return Failure{"expected permissions in octal, \"0000\" to \"0777\", such as \"0660\""};
}

Parsed<std::filesystem::path> parse_absolute_path(std::string_view text) {
  constexpr std::size_t longest = 4095;
  if (text.starts_with('/') && text.size() <= longest && std::ranges::none_of(text, ascii::is_control)) {
    return std::filesystem::path{text};
  }
  return Failure{"expected an absolute path"};
}

Parsed<std::filesystem::path> parse_socket_path(std::string_view text) {
  constexpr std::size_t longest = sizeof(sockaddr_un::sun_path) - 1;
  auto path = parse_absolute_path(text);
  if (!path || (text.size() <= longest && !text.ends_with('/'))) return path;
  return Failure{"expected the path of a Unix socket, at most " + std::to_string(longest) + " bytes long"};
}

Parsed<std::string> parse_printable(std::string_view text) {
  if (!text.empty() && std::ranges::all_of(text, ascii::is_printable)) return std::string{text};
  return Failure{"expected printable ASCII, not empty"};
}

Parsed<std::string> parse_plain_text(std::string_view text) {
  if (std::ranges::none_of(text, ascii::is_control)) return std::string{text};
  return Failure{"expected text without control characters"};
}

Parsed<std::string> parse_scope_token(std::string_view text) {
  if (!text.empty() && std::ranges::all_of(text, syntax::is_scope_character)) return std::string{text};
  return Failure{"expected a scope of printable ASCII without space, '\"' and '\\' (RFC 6749 section 3.3)"};
}

Parsed<std::string> parse_credential_name(std::string_view text) {
  const auto allowed = [](char c) { return ascii::is_visible(c) && c != '/' && c != ':'; };
  if (!text.empty() && text.size() <= 255 && text != "." && text != ".." &&
      std::ranges::all_of(text, allowed)) {
    return std::string{text};
  }
  return Failure{"expected the name of a systemd credential (LoadCredential=), without '/' and ':'"};
}

Parsed<std::string> parse_variable_name(std::string_view text) {
  const auto allowed = [](char c) { return ascii::is_alphanumeric(c) || c == '_'; };
  if (!text.empty() && text.size() <= 255 && !ascii::is_digit(text.front()) &&
      std::ranges::all_of(text, allowed)) {
    return std::string{text};
  }
  return Failure{"expected the name of an environment variable"};
}

Parsed<std::string> parse_unit_name(std::string_view text) {
  constexpr std::string_view marks = ":-_.\\@";
  const auto allowed = [&](char c) {
    return ascii::is_alphanumeric(c) || marks.find(c) != std::string_view::npos;
  };
  const auto stem = text.substr(0, std::min(text.rfind('.'), text.size()));
  const bool has_type = text.ends_with(".service") || text.ends_with(".scope");
  if (has_type && !stem.empty() && text.size() <= 255 && std::ranges::all_of(text, allowed))
    return std::string{text};
  return Failure{
      "expected the full name of a systemd unit, such as \"billing.service\" or \"worker@.service\""};
}

std::optional<std::uint32_t> parse_account_id(std::string_view text) {
  std::uint32_t id = 0;
  const auto* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, id);
  // The largest number means "nobody in particular" to the kernel.
  if (error != std::errc{} || stop != end || id == std::numeric_limits<std::uint32_t>::max())
    return std::nullopt;
  return id;
}

Parsed<std::string> account(const Node& node) {
  std::string name;
  if (node.is(Node::Kind::integer)) {
    name = std::to_string(node.integer);
  } else if (node.is(Node::Kind::string)) {
    name = std::string{node.text.reveal()};
  } else {
    return Failure{type_mismatch("a name or a numeric id", node)};
  }
  const auto allowed = [](char c) { return !ascii::is_control(c) && c != ':' && c != '/'; };
  const bool is_name = !name.empty() && name.size() <= 256 && std::ranges::all_of(name, allowed);
  const bool is_number = !name.empty() && (name.front() == '-' || std::ranges::all_of(name, ascii::is_digit));
  if (is_name && (!is_number || parse_account_id(name))) return name;
  return Failure{"expected a name or a numeric id from 0 to 4294967294"};
}

}  // namespace grantd::config
