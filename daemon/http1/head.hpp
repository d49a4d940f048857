#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "common/error.hpp"

namespace grantd::daemon::http1 {

struct Field {
  std::string_view name;
  std::string_view value;  // without surrounding white space
};

/// How long a message's body is (RFC 9112 section 6.3).
struct BodyLength {
  enum class Kind { none, fixed, chunked, until_close };
  Kind kind = Kind::none;
  std::uint64_t size = 0;  // of a fixed one
};

/// What request and response heads have in common. All views point into the buffer the head was parsed from.
struct Head {
  std::vector<Field> fields;  // as received: order, number and spelling kept
  int minor_version = 1;      // of HTTP/1.x
  bool keep_alive = true;     // by version and `Connection`
  BodyLength body;

  /// First value of the field, the name compared without case; nothing where it is absent.
  std::optional<std::string_view> find(std::string_view name) const;
};

struct RequestHead : Head {
  std::string_view method;
  std::string_view target;  // origin form: begins with a slash (or is "*")
  std::string_view path;    // of the target, bytes unchanged
  std::string_view query;   // without the question mark
  std::string_view host;    // value of `Host`, port included; empty where absent
  bool expects_continue = false;
  bool wants_upgrade = false;  // has `Upgrade` named in `Connection`
};

struct ResponseHead : Head {
  int status = 0;
  std::string_view reason;
};

/// Size of the head at the front of `bytes`, final empty line included; nothing while it is not complete.
std::optional<std::size_t> head_size(std::string_view bytes);

/// Parses one whole head (of exactly `head_size` bytes) with Beast's strict parser, after a scan that refuses
/// what Beast lets through: bare LF, NUL, obs-fold, white space before a colon, two or listed or signed
/// `Content-Length`s, both `Content-Length` and `Transfer-Encoding`, a coding other than exactly `chunked`,
/// chunked in HTTP/1.0, two `Host`s, an HTTP/1.1 request without one, a target not in origin form. `head` is
/// overwritten; its vector's memory is reused. Errors: `invalid_request` with a sentence.
common::Result<void> parse_request_head(std::string_view bytes, RequestHead& head);

/// The same for a response to a request with `request_method`, which decides about the body's length.
/// Errors: `api_unreachable` with a sentence.
common::Result<void> parse_response_head(std::string_view bytes, std::string_view request_method,
                                         ResponseHead& head);

/// Whether a head may be kept to be compared with the next one: it has no body behind it, no upgrade, and
/// none of the fields in which secrets travel.
bool may_be_remembered(const RequestHead& head);
/// Makes `head`, parsed from `original`, refer to `copy` instead, which has the same bytes.
void refer_to_copy(RequestHead& head, std::string_view original, std::string_view copy);

/// Whether the comma-separated list of the field's values (all of its occurrences) has `token`, without case.
bool list_has(const Head& head, std::string_view name, std::string_view token);

}  // namespace grantd::daemon::http1
