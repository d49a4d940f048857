#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>

#include "grantd/export.h"

namespace grantd {

/// What every failing call throws. `what()` is a sentence for people: it holds neither a token nor a secret,
/// and no control character. Programs decide by `code()`.
class GRANTD_EXPORT Error : public std::runtime_error {
 public:
  /// What goes with a failure besides code and sentence, as far as it is known.
  struct Details {
    int http_status = 0;
    std::string oauth_error{};
    std::string oauth_error_description{};
    std::optional<std::chrono::seconds> retry_after{};
  };

  Error(std::string_view code, std::string_view sentence);
  Error(std::string_view code, std::string_view sentence, Details details);
  Error(const Error&) noexcept;
  Error& operator=(const Error&) noexcept;
  ~Error() override;

  /// One of the daemon's codes, e.g. "access_denied" or "token_request_rejected"; or "daemon_unreachable" (no
  /// daemon, or nothing that answers like one), "timeout" (`ClientOptions::timeout` has passed), "cancelled"
  /// (by the call's stop token).
  std::string_view code() const noexcept;
  /// Status of the daemon's answer; 0 where there was none.
  int http_status() const noexcept;
  /// RFC 6749 section 5.2, from the authorization server; empty where there was none.
  std::string_view oauth_error() const noexcept;
  std::string_view oauth_error_description() const noexcept;
  /// How long to wait before it is worth trying again, where the daemon says so.
  std::optional<std::chrono::seconds> retry_after() const noexcept;

 private:
  struct State;
  std::shared_ptr<const State> state_;  // shared, so that copies of an exception cannot throw
};

}  // namespace grantd
