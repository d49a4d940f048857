// Header names compare without case (RFC 9110 section 5.1).
#include "daemon/http/message.hpp"

#include "common/ascii.hpp"
#include "daemon/http1/head.hpp"

namespace grantd::daemon {

std::string_view HttpResponse::header(std::string_view name) const {
  for (const auto& [field, value] : headers) {
    if (ascii::equal_ignoring_case(field, name)) return value;
  }
  return {};
}

}  // namespace grantd::daemon
