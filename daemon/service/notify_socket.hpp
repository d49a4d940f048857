#pragma once

#include <sys/socket.h>
#include <sys/un.h>

#include <string_view>
#include <system_error>

#include "common/unique_fd.hpp"

namespace grantd::daemon {

/// The service manager's end of sd_notify(3), to which datagrams go that never wait: those of libsystemd do
/// where the manager does not read. Loop thread only.
class NotifySocket {
 public:
  /// None, to which nothing can be sent.
  NotifySocket() = default;
  /// `address`: a path, or `@` and the name of an abstract socket.
  explicit NotifySocket(std::string_view address);

  /// One message, and with it a descriptor, -1: none. The error is the kernel's word on why not, such as
  /// `resource_unavailable_try_again` where the manager has not read the earlier ones.
  std::error_code send(std::string_view message, int descriptor = -1);

 private:
  sockaddr_un address_{};
  socklen_t address_size_ = 0;
  common::UniqueFd socket_;
};

}  // namespace grantd::daemon
