#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>

#include "config/settings.hpp"
#include "config/table_reader.hpp"

/// The small languages within strings. Each function says in its error what it expected and quotes nothing.
namespace grantd::config {

/// One integer and one unit of ms, s, m, h; above zero, at most 24 h.
Parsed<Duration> parse_duration(std::string_view text);

/// One integer and one unit of B, KiB, MiB, GiB, at most `most` bytes.
Parsed<std::size_t> parse_size(std::string_view text, std::size_t most);

/// Permissions in octal, "0000" to "0777".
Parsed<std::uint32_t> parse_mode(std::string_view text);

Parsed<std::filesystem::path> parse_absolute_path(std::string_view text);
/// One that fits into a Unix socket address.
Parsed<std::filesystem::path> parse_socket_path(std::string_view text);

/// Printable ASCII with spaces, not empty (RFC 6749 appendix A: VSCHAR).
Parsed<std::string> parse_printable(std::string_view text);
/// Any text without control characters, also none.
Parsed<std::string> parse_plain_text(std::string_view text);

/// A scope token of RFC 6749 section 3.3.
Parsed<std::string> parse_scope_token(std::string_view text);

/// The name of a systemd credential.
Parsed<std::string> parse_credential_name(std::string_view text);
Parsed<std::string> parse_variable_name(std::string_view text);
/// The full name of a systemd unit that processes run in.
Parsed<std::string> parse_unit_name(std::string_view text);

/// A user or group by name, or by id as a string or an integer.
Parsed<std::string> account(const Node& node);
/// The id that a string of digits means.
std::optional<std::uint32_t> parse_account_id(std::string_view text);

/// A name out of a fixed list.
template <class T>
struct Choice {
  std::string_view name;
  T value;
};

/// `expected one of "a", "b"`
template <class T>
std::string expected_choice(std::span<const Choice<T>> choices) {
  std::string message{"expected one of"};
  for (const auto& choice : choices) {
    message.append(message.ends_with('"') ? ", \"" : " \"").append(choice.name).append("\"");
  }
  return message;
}

/// A node parser for such a name. `choices` must outlive it.
template <class T, std::size_t Size>
auto one_of(const Choice<T> (&choices)[Size]) {
  const std::span<const Choice<T>> all{choices};
  return text([all](std::string_view name) -> Parsed<T> {
    for (const auto& choice : all) {
      if (choice.name == name) return choice.value;
    }
    return std::unexpected{expected_choice(all)};
  });
}

}  // namespace grantd::config
