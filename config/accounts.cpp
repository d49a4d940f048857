// The reentrant calls do not say how large a group can get; the buffer grows until it fits or is absurd.
#include "config/accounts.hpp"

#include <grp.h>
#include <pwd.h>

#include <cerrno>
#include <vector>

namespace grantd::config {

namespace {

constexpr std::size_t first_buffer = 4096;
constexpr std::size_t largest_buffer = std::size_t{1} << 22;

template <class Entry, class Call>
std::optional<Entry> find(const std::string& name, Call call) {
  std::vector<char> buffer(first_buffer);
  for (;;) {
    Entry entry{};
    Entry* found = nullptr;
    const int error = call(name.c_str(), &entry, buffer.data(), buffer.size(), &found);
    if (found != nullptr) return entry;
    if (error != ERANGE || buffer.size() >= largest_buffer) return std::nullopt;
    buffer.resize(buffer.size() * 2);
  }
}

}  // namespace

std::optional<gid_t> find_group(const std::string& name) {
  const auto entry = find<group>(name, ::getgrnam_r);
  return entry ? std::optional{entry->gr_gid} : std::nullopt;
}

std::optional<uid_t> find_user(const std::string& name) {
  const auto entry = find<passwd>(name, ::getpwnam_r);
  return entry ? std::optional{entry->pw_uid} : std::nullopt;
}

}  // namespace grantd::config
