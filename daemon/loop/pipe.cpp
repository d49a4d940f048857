#include "daemon/loop/pipe.hpp"

#include <fcntl.h>

#include <array>
#include <cerrno>

namespace grantd::daemon {
namespace {

// What a fast API has sent by the time it is looked at; more leaves the processor's cache on its way.
constexpr int wanted_capacity = 256 * 1024;
constexpr int least_capacity = 64 * 1024;
constexpr unsigned flags = SPLICE_F_MOVE | SPLICE_F_NONBLOCK;

ssize_t move(int from, int to, std::size_t most) {
  while (true) {
    const ssize_t moved = ::splice(from, nullptr, to, nullptr, most, flags);
    if (moved >= 0 || errno != EINTR) return moved;
  }
}

}  // namespace

std::optional<Pipe> Pipe::make() {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC | O_NONBLOCK) != 0) return std::nullopt;
  Pipe pipe{common::UniqueFd{ends[0]}, common::UniqueFd{ends[1]}};
  // A user who has many of them already gets less (pipe(7)), at worst so little that copying is cheaper.
  if (::fcntl(ends[1], F_SETPIPE_SZ, wanted_capacity) < 0 && ::fcntl(ends[1], F_GETPIPE_SZ) < least_capacity)
    return std::nullopt;
  return pipe;
}

std::optional<ssize_t> Pipe::move_from(int socket, std::size_t most) {
  const ssize_t moved = move(socket, input_.get(), most);
  if (moved < 0 && errno == EAGAIN) return std::nullopt;
  if (moved > 0) size_ += static_cast<std::size_t>(moved);
  return moved;
}

bool Pipe::move_to(int socket) {
  while (size_ > 0) {
    const ssize_t moved = move(output_.get(), socket, size_);
    if (moved < 0 && errno == EAGAIN) return true;
    if (moved <= 0) return false;
    size_ -= static_cast<std::size_t>(moved);
  }
  return true;
}

}  // namespace grantd::daemon
