// When a request is sent again. Kept apart from the sending, because a wrong answer here orders a thing
// twice.
#include "daemon/proxy/retry_policy.hpp"

#include <algorithm>

#include "common/ascii.hpp"

namespace grantd::daemon {

bool demands_nonce(const http1::ResponseHead& response) {
  if (response.status != 401) return false;
  return std::ranges::any_of(response.fields, [](const http1::Field& field) {
    return ascii::equal_ignoring_case(field.name, "WWW-Authenticate") &&
           field.value.find("use_dpop_nonce") != std::string_view::npos;
  });
}

RejectionAnswer answer_to(const Rejection& rejection) {
  if (rejection.nonce_demanded) {
    const bool resend = !rejection.nonce_answered && rejection.body_can_be_sent;
    return resend ? RejectionAnswer::resend_with_nonce : RejectionAnswer::pass_on;
  }
  if (rejection.status != 401 || !rejection.retry_on_401 || rejection.own_assertion)
    return RejectionAnswer::pass_on;
  if (rejection.sent_again) return RejectionAnswer::pass_on;
  return rejection.body_can_be_sent ? RejectionAnswer::renew_and_resend : RejectionAnswer::renew_and_pass_on;
}

bool may_repeat(const BrokenSend& broken) {
  if (!broken.connection_was_used || broken.sent_again || !broken.body_can_be_sent) return false;
  return !broken.anything_sent || is_idempotent(broken.method);
}

bool is_idempotent(std::string_view method) {
  static constexpr std::string_view methods[] = {"GET",      "HEAD",      "PUT",    "DELETE", "OPTIONS",
                                                 "PROPFIND", "PROPPATCH", "MKCOL",  "COPY",   "MOVE",
                                                 "UNLOCK",   "REPORT",    "SEARCH", "QUERY"};
  return std::ranges::find(methods, method) != std::end(methods);
}

}  // namespace grantd::daemon
