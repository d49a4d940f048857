// Editors and `echo` end a file with a newline that nobody means to be a part of the secret. More than one is
// kept: then it was meant.
#include "daemon/secrets/secret_text.hpp"

namespace grantd::daemon {

std::expected<common::Secret, std::string> secret_from(std::string_view content) {
  if (content.size() > largest_secret) return std::unexpected{"is larger than 64 KiB"};
  if (content.ends_with('\n')) {
    content.remove_suffix(1);
    if (content.ends_with('\r')) content.remove_suffix(1);
  }
  if (content.empty()) return std::unexpected{"is empty"};
  return common::Secret{content};
}

}  // namespace grantd::daemon
