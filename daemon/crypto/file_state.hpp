#pragma once

#include <filesystem>
#include <string>

namespace grantd::daemon {

/// A text that changes when another file is named, and when the file on disk is another than before.
std::string state_of_file(const std::filesystem::path& path);

}  // namespace grantd::daemon
