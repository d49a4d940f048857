#pragma once

#include <string_view>

#include "daemon/http1/head.hpp"

namespace grantd::daemon {

/// What to do about the status of an API's response.
enum class RejectionAnswer {
  pass_on,            // it is the answer
  renew_and_pass_on,  // it is the answer, and the next call shall have a new token
  renew_and_resend,   // get another token; if there is one, send the request once more
  resend_with_nonce,  // the token is good, the proof lacked the API's nonce
};

struct Rejection {
  int status = 0;
  bool retry_on_401 = true;
  bool own_assertion = false;    // the caller's assertion made the token: there is no second one to be had
  bool sent_again = false;       // because of an earlier 401
  bool nonce_demanded = false;   // a 401 for want of a DPoP nonce, which came with it
  bool nonce_answered = false;   // such a one was answered before
  bool body_can_be_sent = true;  // all of the body that was read is kept, and its sending did not fail
};
/// Whether a 401 says that the proof lacks the server's nonce (RFC 9449 section 9), and so nothing against
/// the token.
bool demands_nonce(const http1::ResponseHead& response);
/// Only a 401 speaks about the token's validity; a 403 would come back with any token.
RejectionAnswer answer_to(const Rejection& rejection);

/// A request whose connection ended before any byte of a response.
struct BrokenSend {
  std::string_view method;
  bool connection_was_used = false;  // it had served another request, and may have been closed meanwhile
  bool sent_again = false;           // because of an earlier broken connection
  bool anything_sent = true;         // whether the kernel took a single byte
  bool body_can_be_sent = true;
};
/// Whether the request may be repeated on a new connection without risk of its being carried out twice (RFC
/// 9110 section 9.2.2).
bool may_repeat(const BrokenSend& broken);

/// Methods whose repetition has the effect of one request: those that RFC 9110 and RFC 4918 register as
/// idempotent.
bool is_idempotent(std::string_view method);

}  // namespace grantd::daemon
