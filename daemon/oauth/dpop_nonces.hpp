#pragma once

#include <map>
#include <string>
#include <string_view>

#include "config/settings.hpp"

namespace grantd::daemon {

/// The nonce that each server wants in its next proof (RFC 9449 sections 8 and 9), by origin. One for token
/// endpoints and one for APIs: the nonces of the two differ even where their origins do not. Loop thread
/// only.
class DpopNonces {
 public:
  /// Empty where none is known.
  std::string_view of(const config::Url& url) const;
  /// Remembers the value of a `DPoP-Nonce` field; what is no nonce is left alone.
  /// Whether it was one.
  bool remember(const config::Url& url, std::string_view nonce);

 private:
  std::map<std::string, std::string, std::less<>> nonces_;
};

}  // namespace grantd::daemon
