// A secret is rotated by replacing its file, and the daemon must neither need a restart for it nor lose a
// client because it looked in the moment between. A path may by mistake lead to anything, so nothing but a
// regular file is opened: a FIFO would block the loop, and opening a device can have effects of its own.
#include "daemon/secrets/file_secret.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <expected>
#include <system_error>
#include <utility>
#include <vector>

#include "common/unique_fd.hpp"
#include "daemon/secrets/secret_text.hpp"

namespace grantd::daemon {

namespace {

std::int64_t nanoseconds(const timespec& time) {
  return std::int64_t{time.tv_sec} * 1'000'000'000 + std::int64_t{time.tv_nsec};
}

FileStamp stamp_of(const struct stat& status) {
  return {.device = status.st_dev,
          .inode = status.st_ino,
          .size = status.st_size,
          .modified = nanoseconds(status.st_mtim),
          .status_changed = nanoseconds(status.st_ctim)};
}

struct Looked {
  FileStamp stamp;
  bool regular = false;
};

Looked look_at(const std::filesystem::path& path) {
  struct stat status{};
  if (::stat(path.c_str(), &status) != 0) return {.stamp = {.error = errno}};
  return {.stamp = stamp_of(status), .regular = S_ISREG(status.st_mode)};
}

std::unexpected<std::string> failure(std::string_view what, int error) {
  return std::unexpected{std::string{what} + ": " + std::generic_category().message(error)};
}

struct Content {
  FileStamp stamp;
  common::Secret secret;
};

// The stamp is taken before the bytes: a file written to meanwhile has another one and is read again.
std::expected<Content, std::string> read_file(const std::filesystem::path& path) {
  const common::UniqueFd file{::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY)};
  if (!file) return failure("cannot be opened", errno);
  struct stat status{};
  if (::fstat(file.get(), &status) != 0) return failure("cannot be read", errno);
  if (!S_ISREG(status.st_mode)) return std::unexpected{"is not a regular file"};

  std::vector<char, common::WipingAllocator<char>> bytes(largest_secret + 1);
  std::size_t size = 0;
  while (size < bytes.size()) {
    const ssize_t got = ::read(file.get(), bytes.data() + size, bytes.size() - size);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return failure("cannot be read", errno);
    if (got == 0) break;
    size += static_cast<std::size_t>(got);
  }
  auto secret = secret_from({bytes.data(), size});
  if (!secret) return std::unexpected{std::move(secret.error())};
  return Content{.stamp = stamp_of(status), .secret = std::move(*secret)};
}

}  // namespace

FileSecret::FileSecret(std::filesystem::path path, std::string client, std::string remedy,
                       common::Logger& log)
    : path_(std::move(path)), client_(std::move(client)), remedy_(std::move(remedy)), log_(log) {}

bool FileSecret::changed() const { return !seen_ || look_at(path_).stamp != *seen_; }

common::Result<std::shared_ptr<const common::Secret>> FileSecret::read() {
  const Looked now = look_at(path_);
  // A failure is not taken for final: too many open files, say, would leave no trace in the stamp.
  if (!stale_ && now.stamp == seen_) return last_;
  seen_ = now.stamp;
  stale_ = true;
  if (now.stamp.error != 0) return fall_back(now.stamp, failure("cannot be opened", now.stamp.error).error());
  if (!now.regular) return fall_back(now.stamp, "is not a regular file");
  auto content = read_file(path_);
  if (!content) return fall_back(now.stamp, content.error());

  seen_ = content->stamp;
  stale_ = false;
  warned_about_.reset();
  last_ = std::make_shared<const common::Secret>(std::move(content->secret));
  return last_;
}

common::Result<std::shared_ptr<const common::Secret>> FileSecret::fall_back(const FileStamp& stamp,
                                                                            const std::string& why) {
  const std::string sentence = "the secret file " + path_.string() + " " + why;
  if (!last_) return common::fail(common::ErrorCode::client_unavailable, sentence + "; " + remedy_);
  if (stamp != warned_about_) {
    warned_about_ = stamp;
    log_.warning("secret_not_reread",
                 {{"client", client_}, {"detail", sentence + "; the last one stays in use"}});
  }
  return last_;
}

}  // namespace grantd::daemon
