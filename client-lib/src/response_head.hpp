#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace grantd::detail {

/// How a response's body ends (RFC 9112 section 6.3).
enum class BodyFraming { none, fixed, chunked, until_close };

struct ResponseHead {
  int status = 0;
  std::string reason{};
  std::vector<std::pair<std::string, std::string>> fields{};  // as received
  bool keep_alive = true;
  BodyFraming framing = BodyFraming::none;
  std::uint64_t size = 0;  // of a fixed body

  /// First value of the field, the name compared without case; nothing where it is absent.
  std::optional<std::string_view> find(std::string_view name) const;
};

/// Parses one whole head, final empty line included. Nothing where anything about it is not strictly
/// HTTP/1.x: bare line breaks, folded lines, control characters, two or listed or signed lengths, a length
/// together with a coding, a coding other than `chunked`.
std::optional<ResponseHead> parse_response_head(std::string_view bytes, bool answers_head_request);

}  // namespace grantd::detail
