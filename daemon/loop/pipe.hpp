#pragma once

#include <sys/types.h>

#include <cstddef>
#include <optional>

#include "common/unique_fd.hpp"

namespace grantd::daemon {

/// Through which bytes go from one stream socket to another without being copied (splice(2)). Neither side
/// ever waits. Any thread, one at a time.
class Pipe {
 public:
  /// Nothing: the machine has none to give, and bytes have to be copied.
  static std::optional<Pipe> make();

  /// Bytes that were moved in and not yet out.
  std::size_t size() const { return size_; }
  /// Moves up to `most` bytes in, while the pipe is empty. Nothing: there are none for now; 0 is the end; an
  /// error is negative.
  std::optional<ssize_t> move_from(int socket, std::size_t most);
  /// Moves out what the socket takes. False: it takes nothing any more, and the kernel raised SIGPIPE, which
  /// the process must ignore.
  bool move_to(int socket);

 private:
  Pipe(common::UniqueFd output, common::UniqueFd input)
      : output_(std::move(output)), input_(std::move(input)) {}

  common::UniqueFd output_;
  common::UniqueFd input_;
  std::size_t size_ = 0;
};

}  // namespace grantd::daemon
