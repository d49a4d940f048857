// A failure that is asked for again and again must not become a request each time: a wrong secret would get
// the machine's address banned.
#include "daemon/cache/remembered_error.hpp"

#include <algorithm>

namespace grantd::daemon {

namespace {
constexpr std::chrono::seconds longest_retry_after = std::chrono::minutes{5};
}

void RememberedError::remember(common::Error error, common::BootTime now, std::chrono::seconds bound,
                               std::optional<std::chrono::seconds> retry_after) {
  step_ = std::clamp(step_ * 2, std::chrono::seconds{1}, bound);
  until_ = now + (retry_after ? std::min(*retry_after, longest_retry_after) : step_);
  error_ = std::move(error);
}

void RememberedError::forget() {
  error_.reset();
  step_ = std::chrono::seconds{0};
}

std::optional<common::Error> RememberedError::current(common::BootTime now) const {
  if (!error_ || now >= until_) return std::nullopt;
  common::Error error = *error_;
  error.retry_after =
      std::max(std::chrono::ceil<std::chrono::seconds>(until_ - now), std::chrono::seconds{1});
  return error;
}

}  // namespace grantd::daemon
