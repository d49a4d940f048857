#include "daemon/service/passed_sockets.hpp"

#include <fcntl.h>
#include <sys/socket.h>
#include <systemd/sd-daemon.h>

#include <system_error>

namespace grantd::daemon {

std::expected<std::vector<common::UniqueFd>, std::string> take_passed_sockets() {
  const int count = ::sd_listen_fds(1);
  if (count < 0) {
    return std::unexpected{"the sockets passed by the service manager cannot be used: " +
                           std::generic_category().message(-count)};
  }
  std::vector<common::UniqueFd> sockets;
  for (int fd = SD_LISTEN_FDS_START; fd < SD_LISTEN_FDS_START + count; ++fd) sockets.emplace_back(fd);
  for (const common::UniqueFd& socket : sockets) {
    if (::sd_is_socket(socket.get(), AF_UNIX, SOCK_STREAM, 1) <= 0) {
      return std::unexpected{"descriptor " + std::to_string(socket.get()) +
                             ", passed by the service manager, is no listening Unix stream socket; "
                             "grantd.socket may have ListenStream= with paths only"};
    }
    const int flags = ::fcntl(socket.get(), F_GETFL);
    ::fcntl(socket.get(), F_SETFL, flags | O_NONBLOCK);
  }
  return sockets;
}

}  // namespace grantd::daemon
