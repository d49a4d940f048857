#pragma once

#include <functional>
#include <stop_token>
#include <string>
#include <string_view>

#include "client-lib/src/connector.hpp"
#include "common/secret.hpp"

namespace grantd::detail {

/// A request to the daemon itself. Every one of them may be repeated.
struct LocalRequest {
  std::string_view method = "GET";
  std::string_view target{};
  common::Secret json{};  // the body; empty: none
};

struct LocalAnswer {
  ResponseHead head{};
  common::Secret body{};
  OwnDescriptor descriptor{};  // that was passed with it
};

/// The daemon's answer, whatever its status. One of more than 16 MiB is an Error.
LocalAnswer ask_daemon(Connector& connector, const LocalRequest& request, std::stop_token stop);

/// The same; a status other than 2xx is thrown as the Error it describes.
LocalAnswer ask_daemon_or_throw(Connector& connector, const LocalRequest& request, std::stop_token stop);

/// Gives the body of a 2xx to `sink` piece by piece as it arrives; another status is thrown as the Error it
/// describes. What `sink` throws ends the call and reaches its caller.
void stream_daemon(Connector& connector, const LocalRequest& request,
                   const std::function<void(std::string_view)>& sink, std::stop_token stop);

/// Throws what an answer of the daemon says in its problem document (RFC 9457) and `Grantd-Error`. One that
/// is no such answer is an "internal_error".
[[noreturn]] void throw_problem(const ResponseHead& head, std::string_view body);

}  // namespace grantd::detail
