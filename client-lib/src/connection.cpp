// Connecting to a Unix socket never waits when it is non-blocking: it works, or the queue is full (EAGAIN),
// or nobody listens. So one attempt is one plain call, and patience is its caller's business.
#include "client-lib/src/connection.hpp"

#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <cerrno>
#include <utility>

namespace grantd::detail {

Connection::Connection(OwnDescriptor socket)
    : socket_(std::move(socket)), buffer_(std::make_unique_for_overwrite<char[]>(buffer_size)) {}

Connection::~Connection() {
  // A child process may hold a copy of the descriptor; the daemon is to see the end all the same.
  if (socket_.is_intact()) ::shutdown(socket_.get(), SHUT_RDWR);
}

bool Connection::is_quiet() const {
  if (!is_intact()) return false;
  pollfd waited{.fd = socket_.get(), .events = POLLIN, .revents = 0};
  return ::poll(&waited, 1, 0) == 0;
}

std::size_t max_socket_path() { return sizeof(sockaddr_un::sun_path) - 1; }

std::unique_ptr<Connection> connect_once(const std::string& path, std::error_code& error) {
  OwnDescriptor socket{::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)};
  if (!socket) {
    error.assign(errno, std::generic_category());
    return nullptr;
  }
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path.copy(address.sun_path, max_socket_path());
  int result = 0;
  do {
    result = ::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address);
  } while (result != 0 && errno == EINTR);
  if (result != 0) {
    error.assign(errno, std::generic_category());
    return nullptr;
  }
  error.clear();
  return std::make_unique<Connection>(std::move(socket));
}

}  // namespace grantd::detail
