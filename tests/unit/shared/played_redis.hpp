#pragma once

#include <doctest/doctest.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <string>
#include <string_view>

#include "common/unique_fd.hpp"

namespace grantd::tests {

/// The socket of a server that the test speaks for.
struct PlayedRedis {
  PlayedRedis() {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path.native().copy(address.sun_path, sizeof address.sun_path - 1);
    REQUIRE(::bind(listener.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
    REQUIRE(::listen(listener.get(), 16) == 0);
  }
  ~PlayedRedis() { std::filesystem::remove(path); }
  PlayedRedis(const PlayedRedis&) = delete;
  PlayedRedis& operator=(const PlayedRedis&) = delete;

  common::UniqueFd accept() const { return common::UniqueFd{::accept(listener.get(), nullptr, nullptr)}; }

  std::filesystem::path path =
      std::filesystem::temp_directory_path() / ("grantd-played-redis-" + std::to_string(::getpid()));
  common::UniqueFd listener{::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)};
};

inline std::string hear(const common::UniqueFd& peer, std::size_t size) {
  std::string text(size, '\0');
  text.resize(static_cast<std::size_t>(
      std::max<ssize_t>(::recv(peer.get(), text.data(), text.size(), MSG_WAITALL), 0)));
  return text;
}

inline void say(const common::UniqueFd& peer, std::string_view bytes) {
  REQUIRE(::send(peer.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(bytes.size()));
}

}  // namespace grantd::tests
