#pragma once

#include <memory>
#include <string>

#include "common/error.hpp"
#include "common/log.hpp"
#include "common/secret.hpp"
#include "config/settings.hpp"

namespace grantd::daemon {

/// Where a client's secret comes from: the configuration, a file, a systemd credential or an environment
/// variable. Loop thread only; reads are of small local files.
class SecretSource {
 public:
  virtual ~SecretSource() = default;
  /// The secret as it is now. A file is read again when it has changed (by device, inode, size, mtime,
  /// ctime); where that fails, what was read last is used and a warning logged once per change. A credential
  /// is read once. Nothing at all is `client_unavailable`, with a sentence that says which file or variable
  /// and what to do. One trailing newline is dropped; empty or over 64 KiB is an error.
  virtual common::Result<std::shared_ptr<const common::Secret>> read() = 0;
  /// Whether `read` would look at something else than it did last time.
  virtual bool changed() const = 0;
};

/// What a secret is for, in log lines and errors.
struct SecretPurpose {
  std::string client{};       // the definition
  std::string_view key = {};  // of the configuration, without `_file`: "client_secret"
};

/// A source for the configured one. `log` outlives the source.
std::shared_ptr<SecretSource> make_secret_source(const config::SecretSource& source, SecretPurpose purpose,
                                                 common::Logger& log);

}  // namespace grantd::daemon
