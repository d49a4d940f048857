// Files are opened once and asked about through the descriptor, so that what is judged is what is read. A
// named pipe in place of a file must not hold up a start or a reload, hence O_NONBLOCK.
#include "config/source_file.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <system_error>
#include <utility>

#include "common/unique_fd.hpp"

namespace grantd::config {

namespace fs = std::filesystem;

namespace {

ConfigError unreadable(const fs::path& file, std::string message) {
  return {.file = file, .line = 0, .column = 0, .key = {}, .message = std::move(message)};
}

std::string cannot(std::string_view what, int error) {
  return std::string{what}.append(": ").append(std::generic_category().message(error));
}

std::expected<SourceFile, ConfigError> read_file(const fs::path& path) {
  const common::UniqueFd fd{::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY)};
  if (!fd) return std::unexpected{unreadable(path, cannot("cannot open the file", errno))};
  struct stat status{};
  if (::fstat(fd.get(), &status) != 0)
    return std::unexpected{unreadable(path, cannot("cannot read the file", errno))};
  if (!S_ISREG(status.st_mode)) return std::unexpected{unreadable(path, "expected a regular file")};

  SourceFile file{
      .path = path,
      .text = {},
      .access = {.mode = static_cast<mode_t>(status.st_mode & 07777),
                 .group = status.st_gid,
                 .has_access_list = ::fgetxattr(fd.get(), "system.posix_acl_access", nullptr, 0) > 0}};
  file.text.reserve(static_cast<std::size_t>(std::clamp<off_t>(status.st_size, 0, off_t{max_file_size})));
  std::array<char, 16384> block{};
  std::optional<ConfigError> failed;
  for (;;) {
    const ssize_t got = ::read(fd.get(), block.data(), block.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) failed = unreadable(path, cannot("cannot read the file", errno));
    if (got <= 0) break;
    file.text.append({block.data(), static_cast<std::size_t>(got)});
    if (file.text.size() > max_file_size) {
      failed = unreadable(path, "the file is too large; at most 16 MiB is read");
      break;
    }
  }
  ::explicit_bzero(block.data(), block.size());
  if (failed) return std::unexpected{*std::move(failed)};
  return file;
}

bool is_fragment(const fs::path& path) {
  return path.extension() == ".toml" && !path.filename().native().starts_with('.');
}

std::expected<std::vector<fs::path>, ConfigError> list_fragments(const fs::path& directory) {
  std::error_code error;
  const auto status = fs::status(directory, error);
  if (status.type() == fs::file_type::not_found) return std::vector<fs::path>{};
  if (error)
    return std::unexpected{unreadable(directory, cannot("cannot read the directory", error.value()))};
  if (status.type() != fs::file_type::directory)
    return std::unexpected{unreadable(directory, "expected a directory")};
  std::vector<fs::path> fragments;
  fs::directory_iterator entry{directory, error};
  for (; !error && entry != fs::directory_iterator{}; entry.increment(error)) {
    if (!is_fragment(entry->path())) continue;
    if (fragments.size() == max_fragments) {
      return std::unexpected{unreadable(directory, "the directory holds more than 1000 *.toml files")};
    }
    fragments.push_back(entry->path());
  }
  if (error)
    return std::unexpected{unreadable(directory, cannot("cannot read the directory", error.value()))};
  std::ranges::sort(fragments);
  return fragments;
}

}  // namespace

SourceFiles read_source_files(const fs::path& file) {
  SourceFiles sources;
  const auto add = [&sources](const fs::path& path) {
    auto source = read_file(path);
    if (source) {
      sources.files.push_back(std::move(*source));
    } else {
      sources.errors.push_back(std::move(source.error()));
    }
  };
  add(file);
  if (auto fragments = list_fragments(file.parent_path() / "conf.d")) {
    std::ranges::for_each(*fragments, add);
  } else {
    sources.errors.push_back(std::move(fragments.error()));
  }
  return sources;
}

std::optional<std::string> exposed_to(const FileAccess& access, gid_t own_group,
                                      std::optional<gid_t> service_group) {
  if ((access.mode & 0007U) != 0) return "others";
  if (access.has_access_list) return "whoever its access control list names";
  const bool group_is_ours = access.group == own_group || access.group == service_group;
  if ((access.mode & 0070U) != 0 && !group_is_ours) return "group " + std::to_string(access.group);
  return std::nullopt;
}

}  // namespace grantd::config
