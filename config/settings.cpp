// The few questions that settings answer about themselves.
#include "config/settings.hpp"

#include <algorithm>

namespace grantd::config {

std::string Url::authority() const {
  std::string text_of_host = host.find(':') == std::string::npos ? host : "[" + host + "]";
  if (port != (tls ? 443 : 80)) text_of_host.append(":").append(std::to_string(port));
  return text_of_host;
}

bool ClientSettings::allows(Override what) const {
  return std::ranges::find(allow_overrides, what) != allow_overrides.end();
}

}  // namespace grantd::config
