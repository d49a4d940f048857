// Everything the commands show goes through here, so that nothing a server wrote can move a terminal's
// cursor, and a token leaves on standard output alone.
#include "cli/output.hpp"

#include <unistd.h>

#include <cerrno>
#include <cstddef>

#include "cli/context.hpp"

namespace grantd::cli {
namespace {

// Length of the UTF-8 sequence at the front of `text` by its lead byte, if its continuation bytes are there;
// else 0.
std::size_t sequence_length(std::string_view text) {
  const auto lead = static_cast<unsigned char>(text.front());
  const std::size_t length = lead < 0x80                   ? 1
                             : lead >= 0xc2 && lead < 0xe0 ? 2
                             : lead >= 0xe0 && lead < 0xf0 ? 3
                             : lead >= 0xf0 && lead < 0xf5 ? 4
                                                           : 0;
  if (length > text.size()) return 0;
  for (std::size_t i = 1; i < length; ++i) {
    if ((static_cast<unsigned char>(text[i]) & 0xc0) != 0x80) return 0;
  }
  return length;
}

bool is_control(std::string_view sequence) {
  const auto first = static_cast<unsigned char>(sequence.front());
  if (sequence.size() == 1) return first < 0x20 || first == 0x7f;
  return first == 0xc2 && static_cast<unsigned char>(sequence[1]) < 0xa0;
}

void append_escaped(std::string& out, std::string_view bytes) {
  constexpr std::string_view hex = "0123456789abcdef";
  for (const char c : bytes) {
    const auto byte = static_cast<unsigned char>(c);
    out += "\\x";
    out += hex[byte >> 4];
    out += hex[byte & 15];
  }
}

// False with errno set where not everything could be written.
bool write_all(int fd, std::string_view text) {
  while (!text.empty()) {
    const ssize_t written = ::write(fd, text.data(), text.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return false;
    text.remove_prefix(static_cast<std::size_t>(written));
  }
  return true;
}

}  // namespace

std::string printable(std::string_view text) {
  std::string out;
  while (!text.empty()) {
    const std::size_t length = sequence_length(text);
    const auto sequence = text.substr(0, length == 0 ? 1 : length);
    if (length == 0 || is_control(sequence)) {
      append_escaped(out, sequence);
    } else {
      out += sequence;
    }
    text.remove_prefix(sequence.size());
  }
  return out;
}

void print(std::string_view text) {
  if (!write_all(STDOUT_FILENO, text)) throw OutputError{.system_error = errno};
}

void print_error(const Error& error) {
  std::string sentence = error.what();
  if (const auto wait = error.retry_after()) {
    sentence += "; try again in " + std::to_string(wait->count()) + " s";
  }
  print_error_line("grantctl: " + sentence + " (" + std::string{error.code()} + ")");
}

void print_error(std::string_view sentence) { print_error_line("grantctl: " + std::string{sentence}); }

void print_error_line(std::string_view line) {
  // Where standard error is gone too there is nobody left to tell.
  static_cast<void>(write_all(STDERR_FILENO, printable(line) + "\n"));
}

int exit_status_of(const Error& error) {
  const auto code = error.code();
  if (code == "daemon_unreachable") return daemon_unreachable;
  if (code == "access_denied") return not_allowed;
  if (code == "invalid_configuration") return configuration_error;
  // What the library refused before anything was sent was wrong on the command line.
  if (code == "invalid_request" && error.http_status() == 0) return usage;
  return request_failed;
}

}  // namespace grantd::cli
