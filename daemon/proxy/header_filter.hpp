#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "daemon/http1/head.hpp"

namespace grantd::daemon {

/// Name and value of the request headers that the configuration sets.
using FixedHeaders = std::vector<std::pair<std::string, std::string>>;

/// Whether a field concerns one connection only (RFC 9110 section 7.6.1), or its framing, and so never
/// travels on.
bool is_hop_by_hop(std::string_view name);

/// Appends the fields of a caller's request that travel to the API, one complete line each. Left out:
/// hop-by-hop fields and those that `Connection` names, `Host`, `Expect`, `Content-Length`, `Authorization`,
/// `DPoP`, `Grantd-*`, and what `fixed` replaces. Order and number of the others are kept.
void append_request_fields(std::string& out, const http1::RequestHead& request, const FixedHeaders& fixed);

/// Appends the line that tells the API how long the request's body is, for a body sent with the framing it
/// came with.
void append_request_framing(std::string& out, const http1::RequestHead& request);

/// How a response is passed on to the caller.
struct ResponseFraming {
  enum class Kind {
    none,         // no body: HEAD, 204, 304
    fixed,        // with the API's Content-Length
    chunked,      // chunks of ours
    until_close,  // the end of the connection ends it: HTTP/1.0 callers
  };
  Kind kind = Kind::none;
  bool keep_alive = true;  // whether the caller's connection may serve another request
};
ResponseFraming response_framing(const http1::RequestHead& request, const http1::ResponseHead& response);

/// Appends the whole head of the response to the caller, final empty line included. Left out of the API's:
/// hop-by-hop fields and those that `Connection` names, `Grantd-*`. `own_fields` are complete lines of the
/// daemon's.
void append_response_head(std::string& out, const http1::RequestHead& request,
                          const http1::ResponseHead& response, ResponseFraming framing,
                          std::string_view own_fields);

}  // namespace grantd::daemon
