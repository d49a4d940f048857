// Reading files and making sense of them are apart, so that the second can be tested and fuzzed without a
// disk.
#include "config/load.hpp"

#include "config/interpret.hpp"
#include "config/source_file.hpp"

namespace grantd::config {

std::expected<Settings, std::vector<ConfigError>> load(const std::filesystem::path& file) {
  return interpret(read_source_files(file));
}

}  // namespace grantd::config
