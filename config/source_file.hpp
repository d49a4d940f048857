#pragma once

#include <sys/types.h>

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "common/secret.hpp"
#include "config/load.hpp"

namespace grantd::config {

/// Who besides its owner may read a file.
struct FileAccess {
  mode_t mode = 0600;
  gid_t group = 0;
  bool has_access_list = false;  // POSIX ACL entries beyond owner, group and others
};

/// One configuration file as it was read.
struct SourceFile {
  std::filesystem::path path{};
  common::Secret text{};  // may hold an inline secret
  FileAccess access{};
};

struct SourceFiles {
  std::vector<SourceFile> files{};    // the main file first, then conf.d in name order
  std::vector<ConfigError> errors{};  // files that could not be read
};

inline constexpr std::size_t max_file_size = std::size_t{16} << 20;
inline constexpr std::size_t max_fragments = 1000;

/// Reads `file` and `conf.d/*.toml` beside it: regular files of at most `max_file_size` bytes; like the
/// shell's, the pattern leaves out names that begin with a dot. Blocking.
SourceFiles read_source_files(const std::filesystem::path& file);

/// Whom the file gives access besides its owner, the process's own group and the group of the service, e.g.
/// "others"; nothing: nobody.
std::optional<std::string> exposed_to(const FileAccess& access, gid_t own_group,
                                      std::optional<gid_t> service_group);

}  // namespace grantd::config
