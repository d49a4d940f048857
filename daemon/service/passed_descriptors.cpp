#include "daemon/service/passed_descriptors.hpp"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <systemd/sd-daemon.h>

#include <memory>
#include <system_error>

namespace grantd::daemon {
namespace {

struct FreeNames {
  void operator()(char** names) const {
    for (char** name = names; name != nullptr && *name != nullptr; ++name) ::free(*name);
    ::free(static_cast<void*>(names));
  }
};

}  // namespace

common::UniqueFd PassedDescriptors::take_stored(const std::string& name) {
  const auto [begin, end] = stored.equal_range(name);
  if (begin == end || std::next(begin) != end) return {};
  common::UniqueFd found = std::move(begin->second);
  stored.erase(begin);
  return found;
}

std::expected<PassedDescriptors, std::string> take_passed_descriptors() {
  char** list = nullptr;
  const int count = ::sd_listen_fds_with_names(1, &list);
  const std::unique_ptr<char*, FreeNames> names{list};
  if (count < 0) {
    return std::unexpected{"the descriptors passed by the service manager cannot be used: " +
                           std::generic_category().message(-count)};
  }
  PassedDescriptors passed;
  std::vector<common::UniqueFd> all;
  for (int fd = SD_LISTEN_FDS_START; fd < SD_LISTEN_FDS_START + count; ++fd) all.emplace_back(fd);
  for (std::size_t i = 0; i < all.size(); ++i) {
    const int fd = all[i].get();
    if (::sd_is_socket(fd, AF_UNSPEC, 0, -1) <= 0) {
      passed.stored.emplace(names.get()[i], std::move(all[i]));
      continue;
    }
    if (::sd_is_socket(fd, AF_UNIX, SOCK_STREAM, 1) <= 0) {
      return std::unexpected{"descriptor " + std::to_string(fd) +
                             ", passed by the service manager, is no listening Unix stream socket; "
                             "grantd.socket may have ListenStream= with paths only"};
    }
    const int flags = ::fcntl(fd, F_GETFL);
    ::fcntl(fd, F_SETFL, flags | O_NONBLOCK);
    passed.sockets.push_back(std::move(all[i]));
  }
  return passed;
}

}  // namespace grantd::daemon
