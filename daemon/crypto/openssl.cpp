#include "daemon/crypto/openssl.hpp"

#include <openssl/err.h>

namespace grantd::daemon {

std::string take_openssl_error() {
  const unsigned long code = ERR_peek_last_error();
  ERR_clear_error();
  const char* reason = ERR_reason_error_string(code);
  return reason == nullptr ? "for no known reason" : reason;
}

}  // namespace grantd::daemon
