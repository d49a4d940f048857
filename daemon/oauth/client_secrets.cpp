#include "daemon/oauth/client_secrets.hpp"

#include <string>
#include <utility>

namespace grantd::daemon {

SecretAuthentication::SecretAuthentication(std::shared_ptr<const config::ClientSettings> settings,
                                           std::shared_ptr<SecretSource> secret,
                                           std::shared_ptr<SecretSource> next)
    : settings_(std::move(settings)), secret_(std::move(secret)), next_(std::move(next)) {}

bool SecretAuthentication::changed() const { return secret_->changed() || (next_ && next_->changed()); }

void SecretAuthentication::accepted(std::size_t alternative) {
  if (alternative != 0) next_is_first_ = !next_is_first_;
}

std::optional<common::Secret> SecretAuthentication::identity() {
  common::Secret both;
  bool readable = false;  // one of the two is enough for a request
  for (const auto& source : {secret_, next_}) {
    if (!source) continue;
    const auto text = source->read();
    readable |= text.has_value();
    const std::string_view secret = text ? (*text)->reveal() : std::string_view{};
    both.append(std::to_string(secret.size()));  // no two pairs look alike by where one ends
    both.append(":");
    both.append(secret);
  }
  if (!readable) return std::nullopt;
  return both;
}

common::Result<std::shared_ptr<const common::Secret>> SecretAuthentication::secret(std::size_t alternative) {
  const bool next = next_ && (alternative != 0) != next_is_first_;
  return (next ? next_ : secret_)->read();
}

}  // namespace grantd::daemon
