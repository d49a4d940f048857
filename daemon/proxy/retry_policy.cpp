// When a request is sent again. Kept apart from the sending, because a wrong answer here orders a thing
// twice.
#include "daemon/proxy/retry_policy.hpp"

#include <algorithm>

namespace grantd::daemon {

RejectionAnswer answer_to(const Rejection& rejection) {
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
