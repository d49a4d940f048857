#include "daemon/crypto/file_state.hpp"

#include <sys/stat.h>

#include <cstdint>

namespace grantd::daemon {

std::string state_of_file(const std::filesystem::path& path) {
  std::string state = path.string();
  struct stat file{};
  if (::stat(path.c_str(), &file) != 0) return state;
  for (const auto part :
       {static_cast<std::int64_t>(file.st_ino), static_cast<std::int64_t>(file.st_size),
        static_cast<std::int64_t>(file.st_mtim.tv_sec), static_cast<std::int64_t>(file.st_mtim.tv_nsec)}) {
    state.append(" ").append(std::to_string(part));
  }
  return state;
}

}  // namespace grantd::daemon
