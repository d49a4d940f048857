#pragma once

#include <string>
#include <string_view>

#include "grantd/error.hpp"

namespace grantd::cli {

/// Thrown where standard output cannot be written.
struct OutputError {
  int system_error = 0;
};

/// Text from elsewhere as it may be shown on a terminal: control characters (C0, DEL, C1) and what is no
/// UTF-8 are written as `\xNN`.
std::string printable(std::string_view text);

/// Writes all of it to standard output. Throws OutputError.
void print(std::string_view text);

/// `grantctl: sentence (code)` to standard error; the sentence is made printable.
void print_error(const Error& error);
void print_error(std::string_view sentence);
/// One line to standard error, made printable.
void print_error_line(std::string_view line);

/// The exit status that tells a script what kind of failure it was.
int exit_status_of(const Error& error);

}  // namespace grantd::cli
