#pragma once

#include <sys/types.h>

#include <utility>

namespace grantd::detail {

/// Owns a file descriptor in a process whose other parts may close descriptors that are not theirs
/// (closefrom(3), close_range(2)), whereupon the number soon stands for something else. So it is known by
/// device and inode too, and what it does not stand for any more is left alone. For files with an inode of
/// their own: sockets, pipes, memory.
class OwnDescriptor {
 public:
  OwnDescriptor() = default;
  /// Takes `fd` over; -1 is "none".
  explicit OwnDescriptor(int fd);
  OwnDescriptor(OwnDescriptor&& other) noexcept
      : fd_(std::exchange(other.fd_, -1)), device_(other.device_), inode_(other.inode_) {}
  OwnDescriptor& operator=(OwnDescriptor&& other) noexcept;
  OwnDescriptor(const OwnDescriptor&) = delete;
  OwnDescriptor& operator=(const OwnDescriptor&) = delete;
  ~OwnDescriptor() { reset(); }

  int get() const { return fd_; }
  explicit operator bool() const { return fd_ >= 0; }
  /// Whether it still stands for what was taken over. To be asked before it is used; between the two another
  /// thread can still close it, which only whoever closes descriptors of others can avoid.
  bool is_intact() const;
  /// Closes it, where it is intact.
  void reset();

 private:
  int fd_ = -1;
  dev_t device_ = 0;
  ino_t inode_ = 0;
};

}  // namespace grantd::detail
