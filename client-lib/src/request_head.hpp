#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "common/secret.hpp"

namespace grantd::detail {

/// Throws Error "invalid_request": what the caller asks for could not be sent.
[[noreturn]] void refuse(std::string_view sentence);

/// Writes the head of one HTTP/1.1 request. Whatever a caller gave is checked first: each function throws
/// Error "invalid_request" for what could not travel as the one thing it is meant to be (a line break in a
/// header, say).
class RequestHead {
 public:
  /// `target` in origin form; it must be percent-encoded already.
  RequestHead(std::string_view method, std::string_view target);

  void field(std::string_view name, std::string_view value);
  void content_length(std::uint64_t size);
  void chunked();
  /// The whole head, final empty line included. A secret, for an assertion may be in it.
  common::Secret finish() &&;

 private:
  common::Secret text_;
};

/// Percent-encodes everything but RFC 3986's unreserved characters: good for a path segment, a query value
/// and form encoding alike.
std::string percent_encoded(std::string_view text);

}  // namespace grantd::detail
