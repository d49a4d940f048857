#pragma once

#include <sys/types.h>

#include <cstdint>
#include <filesystem>
#include <optional>

#include "daemon/secrets/secret_source.hpp"

namespace grantd::daemon {

/// What tells one state of a file from another without reading it. A file that is not there has a stamp, too.
struct FileStamp {
  int error = 0;  // errno of stat(2); 0: the other members say
  dev_t device = 0;
  ino_t inode = 0;
  off_t size = 0;
  std::int64_t modified = 0;        // nanoseconds
  std::int64_t status_changed = 0;  // nanoseconds; a chmod that makes the file readable is a change
  bool operator==(const FileStamp&) const = default;
};

/// A secret in a file that may be replaced while the daemon runs.
class FileSecret final : public SecretSource {
 public:
  /// `remedy` ends each error: which key to correct.
  FileSecret(std::filesystem::path path, std::string client, std::string remedy, common::Logger& log);

  common::Result<std::shared_ptr<const common::Secret>> read() override;
  bool changed() const override;

 private:
  common::Result<std::shared_ptr<const common::Secret>> fall_back(const FileStamp& stamp,
                                                                  const std::string& why);

  const std::filesystem::path path_;
  const std::string client_;
  const std::string remedy_;
  common::Logger& log_;

  std::shared_ptr<const common::Secret> last_;  // what was read last, null: nothing yet
  std::optional<FileStamp> seen_;               // the file as `read` found it last
  bool stale_ = true;                           // the file as seen could not be read
  std::optional<FileStamp> warned_about_;
};

}  // namespace grantd::daemon
