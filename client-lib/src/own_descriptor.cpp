#include "client-lib/src/own_descriptor.hpp"

#include <sys/stat.h>
#include <unistd.h>

namespace grantd::detail {

OwnDescriptor::OwnDescriptor(int fd) : fd_(fd) {
  struct stat about{};
  if (fd_ < 0 || ::fstat(fd_, &about) != 0) return;
  device_ = about.st_dev;
  inode_ = about.st_ino;
}

OwnDescriptor& OwnDescriptor::operator=(OwnDescriptor&& other) noexcept {
  if (this == &other) return *this;
  reset();
  fd_ = std::exchange(other.fd_, -1);
  device_ = other.device_;
  inode_ = other.inode_;
  return *this;
}

bool OwnDescriptor::is_intact() const {
  struct stat about{};
  return fd_ >= 0 && ::fstat(fd_, &about) == 0 && about.st_dev == device_ && about.st_ino == inode_;
}

void OwnDescriptor::reset() {
  if (is_intact()) ::close(fd_);
  fd_ = -1;
}

}  // namespace grantd::detail
