#pragma once

#include <expected>
#include <vector>

#include "config/load.hpp"
#include "config/source_file.hpp"

namespace grantd::config {

/// What `load` does once the files are read: everything but file access, for tests and fuzzing.
std::expected<Settings, std::vector<ConfigError>> interpret(const SourceFiles& sources);

}  // namespace grantd::config
