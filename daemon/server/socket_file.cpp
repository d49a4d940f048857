// On Linux a Unix socket's file gets the mode that fchmod gave the socket before bind, less the umask. So the
// file is born closed to everybody but its owner, whatever the umask, and is opened up only when its group is
// right. Nobody can connect before listen. What is found in the socket's place is judged under a lock, so
// that of two daemons starting at once one finds the other alive instead of both finding a stale file.
#include "daemon/server/socket_file.hpp"

#include <fcntl.h>
#include <netdb.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <cerrno>
#include <memory>
#include <system_error>

#include "daemon/authz/access_policy.hpp"

namespace grantd::daemon {

using common::UniqueFd;
using Failure = std::unexpected<std::string>;

namespace {

constexpr int backlog = 4096;

Failure failure(const std::filesystem::path& path, std::string_view what, int error = 0) {
  std::string sentence = path.string() + ": " + std::string{what};
  if (error != 0) sentence.append(": ").append(std::generic_category().message(error));
  return Failure{std::move(sentence)};
}

std::expected<sockaddr_un, std::string> address_of(const std::filesystem::path& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const std::string& text = path.native();
  if (text.size() >= sizeof address.sun_path)
    return failure(path, "the path of a Unix socket has at most 107 bytes");
  text.copy(address.sun_path, text.size());
  return address;
}

std::expected<UniqueFd, std::string> take_lock(const std::filesystem::path& path,
                                               const std::filesystem::path& socket) {
  while (true) {
    UniqueFd lock{::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600)};
    if (!lock) return failure(path, "the socket's lock cannot be opened", errno);
    if (::flock(lock.get(), LOCK_EX | LOCK_NB) != 0) {
      if (errno == EWOULDBLOCK) return failure(socket, "another daemon is serving this socket");
      return failure(path, "the socket's lock cannot be taken", errno);
    }
    // Its last holder may have removed the file between open and flock; then this lock binds nobody.
    struct stat held{};
    struct stat named{};
    if (::fstat(lock.get(), &held) == 0 && ::lstat(path.c_str(), &named) == 0 &&
        held.st_ino == named.st_ino && held.st_dev == named.st_dev) {
      return lock;
    }
  }
}

/// Removes a socket file that nobody listens on; an error where somebody does, or where it is no socket.
std::expected<void, std::string> remove_stale(const std::filesystem::path& path, const sockaddr_un& address) {
  struct stat found{};
  if (::lstat(path.c_str(), &found) != 0) {
    if (errno == ENOENT) return {};
    return failure(path, "the socket cannot be looked at", errno);
  }
  if (!S_ISSOCK(found.st_mode)) return failure(path, "there is a file that is no socket; it is left alone");
  const UniqueFd probe{::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)};
  if (!probe) return failure(path, "no socket can be made", errno);
  if (::connect(probe.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0 ||
      errno == EAGAIN) {
    return failure(path, "another process is serving this socket");
  }
  if (errno == ENOENT) return {};
  if (errno != ECONNREFUSED) return failure(path, "it cannot be told whether the socket is in use", errno);
  if (::unlink(path.c_str()) != 0 && errno != ENOENT) {
    return failure(path, "the stale socket cannot be removed", errno);
  }
  return {};
}

}  // namespace

std::expected<SocketFile, std::string> SocketFile::create(const config::DaemonSettings& settings,
                                                          common::Logger& log) {
  std::filesystem::path lock_path = settings.socket;
  lock_path += ".lock";
  auto lock = take_lock(lock_path, settings.socket);
  if (!lock) return Failure{std::move(lock.error())};
  SocketFile file{settings.socket, std::move(lock_path), std::move(*lock)};
  if (auto bound = file.bind(settings, log); !bound) return Failure{std::move(bound.error())};
  return file;
}

std::expected<void, std::string> SocketFile::bind(const config::DaemonSettings& settings,
                                                  common::Logger& log) {
  const auto address = address_of(path_);
  if (!address) return Failure{address.error()};
  if (auto removed = remove_stale(path_, *address); !removed) return removed;

  socket_.reset(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!socket_) return failure(path_, "no socket can be made", errno);
  const mode_t mode = settings.socket_mode & 0777;
  if (::fchmod(socket_.get(), mode & 0700) != 0 ||
      ::bind(socket_.get(), reinterpret_cast<const sockaddr*>(&*address), sizeof *address) != 0) {
    return failure(path_, "the socket cannot be made", errno);
  }
  struct stat made{};
  if (::lstat(path_.c_str(), &made) != 0) return failure(path_, "the socket cannot be looked at", errno);
  device_ = made.st_dev;
  inode_ = made.st_ino;
  bound_ = true;

  if (settings.socket_group) {
    const auto group = system_accounts().group(*settings.socket_group);
    if (!group) {
      log.warning("unknown_socket_group", {{"socket", path_.native()}, {"group", *settings.socket_group}});
    } else if (::lchown(path_.c_str(), static_cast<uid_t>(-1), *group) != 0) {
      return failure(path_, "the socket cannot be given to the group " + *settings.socket_group, errno);
    }
  }
  if (::chmod(path_.c_str(), mode) != 0) return failure(path_, "the socket's mode cannot be set", errno);
  if (::listen(socket_.get(), backlog) != 0) return failure(path_, "the socket cannot be listened on", errno);
  return {};
}

SocketFile::~SocketFile() { remove(); }

void SocketFile::remove() {
  if (!lock_) return;
  struct stat found{};
  if (bound_ && ::lstat(path_.c_str(), &found) == 0 && found.st_dev == device_ && found.st_ino == inode_) {
    ::unlink(path_.c_str());
  }
  bound_ = false;
  ::unlink(lock_path_.c_str());
  lock_.reset();
}

std::expected<UniqueFd, std::string> listen_on_tcp(const std::string& host, std::uint16_t port) {
  const std::string where = host + ":" + std::to_string(port);
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_PASSIVE | AI_NUMERICSERV;
  addrinfo* found = nullptr;
  if (const int error = ::getaddrinfo(host.c_str(), std::to_string(port).c_str(), &hints, &found);
      error != 0) {
    return failure(where, std::string{"the address is unknown: "} + ::gai_strerror(error));
  }
  const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> addresses{found, &::freeaddrinfo};
  int error = 0;
  for (const addrinfo* candidate = found; candidate != nullptr; candidate = candidate->ai_next) {
    UniqueFd socket{::socket(candidate->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)};
    const int yes = 1;
    if (socket && ::setsockopt(socket.get(), SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes) == 0 &&
        ::bind(socket.get(), candidate->ai_addr, candidate->ai_addrlen) == 0 &&
        ::listen(socket.get(), 64) == 0) {
      return socket;
    }
    error = errno;
  }
  return failure(where, "the address cannot be listened on", error);
}

}  // namespace grantd::daemon
