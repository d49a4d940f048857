#pragma once

#include <string>
#include <string_view>

#include "grantd/client.hpp"
#include "grantd/grantd.h"

namespace grantd::detail {

/// What a C caller gives, as C++ has it; null is a request for nothing in particular. Error "invalid_request"
/// for a structure that this version cannot understand, and for lists without members.
ClientOptions to_options(const grantd_client_options* given);
TokenRequest to_token_request(const grantd_token_request* given);
Request to_request(const grantd_request* given);

inline std::string_view text_or_empty(const char* text) {
  return text != nullptr ? std::string_view{text} : std::string_view{};
}

}  // namespace grantd::detail
