#include "daemon/service/notify_socket.hpp"

#include <sys/uio.h>

#include <cstddef>
#include <cstring>

namespace grantd::daemon {
namespace {

std::error_code last_error() { return {errno, std::generic_category()}; }

}  // namespace

NotifySocket::NotifySocket(std::string_view address) {
  const bool is_path = address.starts_with('/');
  const bool is_abstract = address.starts_with('@');
  if ((!is_path && !is_abstract) || address.size() >= sizeof address_.sun_path) return;
  address_.sun_family = AF_UNIX;
  address.copy(address_.sun_path, address.size());
  if (is_abstract) address_.sun_path[0] = '\0';
  // The name of an abstract socket has no end but its length.
  address_size_ =
      static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + address.size() + (is_path ? 1 : 0));
}

std::error_code NotifySocket::send(std::string_view message, int descriptor) {
  if (address_size_ == 0) return std::make_error_code(std::errc::address_family_not_supported);
  if (!socket_) socket_.reset(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  if (!socket_) return last_error();
  iovec text{const_cast<char*>(message.data()), message.size()};
  msghdr datagram{};
  datagram.msg_name = &address_;
  datagram.msg_namelen = address_size_;
  datagram.msg_iov = &text;
  datagram.msg_iovlen = 1;
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof descriptor)] = {};
  if (descriptor >= 0) {
    datagram.msg_control = control;
    datagram.msg_controllen = sizeof control;
    cmsghdr* head = CMSG_FIRSTHDR(&datagram);
    head->cmsg_level = SOL_SOCKET;
    head->cmsg_type = SCM_RIGHTS;
    head->cmsg_len = CMSG_LEN(sizeof descriptor);
    std::memcpy(CMSG_DATA(head), &descriptor, sizeof descriptor);
  }
  ssize_t sent = 0;
  do {
    sent = ::sendmsg(socket_.get(), &datagram, MSG_NOSIGNAL | MSG_DONTWAIT);
  } while (sent < 0 && errno == EINTR);
  return sent < 0 ? last_error() : std::error_code{};
}

}  // namespace grantd::daemon
