#pragma once

#include <string_view>
#include <utility>

#include "common/secret.hpp"

namespace grantd::daemon {

/// One value in application/x-www-form-urlencoded (RFC 6749 appendix B): a space as `+`, every byte but
/// letters, digits and `*-._~` as `%XX`.
common::Secret form_encode(std::string_view text);

/// The body of a token request as it grows. Names may repeat; the order is that of the calls.
class FormBody {
 public:
  void add(std::string_view name, std::string_view value);
  common::Secret take() { return std::move(text_); }

 private:
  common::Secret text_;
};

}  // namespace grantd::daemon
