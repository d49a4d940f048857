#pragma once

#include <sys/socket.h>
#include <sys/un.h>

#include <cstring>
#include <stdexcept>
#include <string>
#include <system_error>

#include "common/unique_fd.hpp"

namespace grantd::bench {

/// Throws the reason of the last failed system call.
[[noreturn]] inline void fail(const std::string& what) {
  throw std::system_error(errno, std::system_category(), what);
}

inline sockaddr_un unix_address(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) throw std::invalid_argument("the socket's path is too long");
  std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
  return address;
}

/// A new Unix stream socket on which `attach`, ::bind or ::connect, was called with the path.
inline common::UniqueFd unix_socket(const std::string& path, int (*attach)(int, const sockaddr*, socklen_t)) {
  common::UniqueFd fd{::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)};
  if (!fd) fail("socket");
  const sockaddr_un address = unix_address(path);
  if (attach(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) fail(path);
  return fd;
}

}  // namespace grantd::bench
