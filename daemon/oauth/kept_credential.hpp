#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "common/error.hpp"
#include "common/log.hpp"

namespace grantd::daemon {

/// What was made of credential files, kept until one of them changes. What cannot be used does not replace
/// what can.
template <class T>
class KeptCredential {
 public:
  /// `event` is logged where a change brought nothing usable. `log` outlives this.
  KeptCredential(std::string client, std::string_view event, common::Logger& log)
      : client_(std::move(client)), event_(event), log_(log) {}

  /// `read` makes a Result<T>; it is called at first and after a change. Error: that of `read`, while there
  /// is nothing yet.
  template <class Read>
  common::Result<void> renew(bool changed, Read read) {
    if (kept_ && !changed) return {};
    common::Result<T> made = read();
    if (made) {
      kept_ = *std::move(made);
      warned_about_.clear();
      return {};
    }
    if (!kept_) return std::unexpected(std::move(made.error()));
    if (std::exchange(warned_about_, made.error().detail) != made.error().detail) {
      log_.warning(event_, {{"client", client_}, {"detail", warned_about_ + "; the last one stays in use"}});
    }
    return {};
  }

  /// After a successful `renew`.
  const T& operator*() const { return *kept_; }
  const T* operator->() const { return &*kept_; }

 private:
  const std::string client_;
  const std::string_view event_;
  common::Logger& log_;
  std::optional<T> kept_;
  std::string warned_about_;
};

}  // namespace grantd::daemon
