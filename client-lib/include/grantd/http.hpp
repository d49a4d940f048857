#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <stop_token>
#include <string>
#include <string_view>

#include "grantd/export.h"
#include "grantd/token.hpp"

namespace grantd {

namespace detail {
class Connector;
}

/// Orders header names without regard to ASCII case (RFC 9110 section 5.1).
struct GRANTD_EXPORT IgnoreCase {
  using is_transparent = void;
  bool operator()(std::string_view a, std::string_view b) const noexcept;
};

/// Header fields; a name may occur more than once, its values then keep their order.
using Headers = std::multimap<std::string, std::string, IgnoreCase>;

struct Request {
  std::string method = "GET";
  /// Relative to the API's `base_url`, with or without a leading slash, percent-encoded, with its query.
  std::string path{};
  /// Neither framing headers (`Content-Length`, `Transfer-Encoding`, `Connection`, `Host` ...) nor
  /// `Grantd-*`; `Authorization` and `DPoP` are the daemon's to set.
  Headers headers{};
  std::string body{};
  std::string content_type{};
  /// What the token for this request must be like.
  TokenRequest token{};
};

struct Response {
  int status = 0;
  Headers headers{};
  /// At most 256 MiB; a larger one is an error ("payload_too_large"), for that there is streaming.
  std::string body{};
};

/// Where a streamed request body comes from.
struct BodySource {
  /// Fills the front of the buffer and returns how many characters it put there; 0: the end. May block and
  /// may throw; what it throws ends the call and reaches its caller. Empty: the request's own `body` is sent.
  std::function<std::size_t(std::span<char>)> read{};
  /// All characters that will come, where known: sent as `Content-Length`; else the body is chunked.
  std::optional<std::uint64_t> size{};
};

/// Takes a streamed response body piece by piece as it arrives. `head` has status and headers and an empty
/// body. What it throws ends the call and reaches its caller.
using BodySink = std::function<void(const Response& head, std::string_view piece)>;

/// Requests to one API through the daemon, which adds the token, and on a 401 renews it and sends the request
/// once more; the token never enters this process. Every status of the API is an answer; what the daemon
/// itself has to say is thrown as an `Error`. Cheap to copy, usable from many threads.
class GRANTD_EXPORT HttpClient {
 public:
  Response get(std::string_view path, std::stop_token stop = {}) const;
  Response head(std::string_view path, std::stop_token stop = {}) const;
  Response post(std::string_view path, std::string_view body = {},
                std::string_view content_type = "application/json", std::stop_token stop = {}) const;
  Response put(std::string_view path, std::string_view body = {},
               std::string_view content_type = "application/json", std::stop_token stop = {}) const;
  Response patch(std::string_view path, std::string_view body = {},
                 std::string_view content_type = "application/json", std::stop_token stop = {}) const;
  Response del(std::string_view path, std::stop_token stop = {}) const;
  Response send(const Request& request, std::stop_token stop = {}) const;
  /// Streams the request body out of `source` and the response body into `sink`, both at once, in constant
  /// memory; `ClientOptions::timeout` is then that of silence. An API that answers with an error before the
  /// body is through is not sent the rest. The result has no body.
  Response send(const Request& request, const BodySource& source, const BodySink& sink,
                std::stop_token stop = {}) const;

 private:
  friend class Client;
  HttpClient(std::shared_ptr<detail::Connector> connector, std::string_view api);
  Response send_body(std::string_view method, std::string_view path, std::string_view body,
                     std::string_view content_type, std::stop_token stop) const;

  std::shared_ptr<detail::Connector> connector_;
  std::string api_;
};

}  // namespace grantd
