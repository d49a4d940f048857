#pragma once

#include <stop_token>
#include <string_view>

#include "client-lib/src/connector.hpp"

namespace grantd::detail {

/// Takes the response of an API. What it throws ends the call and reaches its caller.
class ApiResponseTaker {
 public:
  virtual ~ApiResponseTaker() = default;
  virtual void head(const ResponseHead& head) = 0;
  virtual void body(std::string_view piece) = 0;
};

/// One request to an API through the daemon. A response that the daemon made itself (it bears `Grantd-Error`)
/// never reaches the taker: it is thrown.
void call_api(Connector& connector, std::string_view api, const Request& request, ApiResponseTaker& taker,
              std::stop_token stop);

/// The same with a timeout of silence rather than of the whole. The body comes from `source`, if that can be
/// read.
void stream_api(Connector& connector, std::string_view api, const Request& request, const BodySource& source,
                ApiResponseTaker& taker, std::stop_token stop);

/// The head as the library's users get it.
Response to_response(const ResponseHead& head);

}  // namespace grantd::detail
