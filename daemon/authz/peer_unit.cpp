// A unit is read from /proc through a descriptor of the process's directory: it stays with that process, and
// reading fails once the process is gone, whoever gets its number next.
#include "daemon/authz/peer_unit.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>

#include "common/unique_fd.hpp"

namespace grantd::daemon {
namespace {

// Not in the headers of Debian 12.
constexpr int so_peerpidfd = 77;

using common::UniqueFd;

bool is_shortage(int error) { return error == EMFILE || error == ENFILE; }

/// A process's directory below /proc, and whether a file could not be opened for want of descriptors.
class Process {
 public:
  explicit Process(pid_t pid, const std::string& proc = "/proc")
      : directory_(opened(AT_FDCWD, (proc + "/" + std::to_string(pid)).c_str(), O_PATH | O_DIRECTORY)) {}

  bool is_there() const { return static_cast<bool>(directory_); }
  bool lacked_descriptors() const { return lacked_descriptors_; }
  /// Empty where it cannot be read.
  std::string file(const char* name) {
    const UniqueFd file = opened(directory_.get(), name, O_RDONLY);
    std::string text;
    std::array<char, 4096> bytes;
    while (file) {
      const ssize_t got = ::read(file.get(), bytes.data(), bytes.size());
      if (got < 0) return {};
      if (got == 0) break;
      text.append(bytes.data(), static_cast<std::size_t>(got));
    }
    return text;
  }

 private:
  UniqueFd opened(int directory, const char* path, int flags) {
    UniqueFd descriptor{::openat(directory, path, flags | O_CLOEXEC)};
    if (!descriptor && is_shortage(errno)) lacked_descriptors_ = true;
    return descriptor;
  }

  bool lacked_descriptors_ = false;
  UniqueFd directory_;
};

/// What the process's cgroup says, unless it could not be read for want of descriptors.
std::optional<std::string> unit_of(Process& process) {
  std::string unit = unit_in_cgroups(process.file("cgroup"));
  if (process.lacked_descriptors()) return std::nullopt;
  return unit;
}

bool has_ended(const UniqueFd& process) {
  pollfd state{.fd = process.get(), .events = POLLIN, .revents = 0};
  return ::poll(&state, 1, 0) != 0;
}

template <class Number>
std::optional<Number> number_at(std::string_view text) {
  Number number{};
  const auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (failed != std::errc{}) return std::nullopt;
  return number;
}

/// The effective user of `Uid:` in /proc/PID/status.
std::optional<uid_t> effective_user(std::string_view status) {
  constexpr std::string_view field = "\nUid:\t";
  const auto at = status.find(field);
  if (at == std::string_view::npos) return std::nullopt;
  const auto tab = status.find('\t', at + field.size());
  if (tab == std::string_view::npos) return std::nullopt;
  return number_at<uid_t>(status.substr(tab + 1));
}

/// The end of the tick in which the process started: field 22 of /proc/PID/stat, whose second may hold
/// anything.
std::optional<common::BootTime> started_before(std::string_view stat) {
  constexpr int fields_after_name = 20;
  auto at = stat.rfind(')');
  for (int field = 0; field < fields_after_name && at != std::string_view::npos; ++field) {
    at = stat.find(' ', at + 1);
  }
  if (at == std::string_view::npos) return std::nullopt;
  const auto ticks = number_at<std::uint64_t>(stat.substr(at + 1));
  if (!ticks) return std::nullopt;
  const auto a_second = static_cast<std::uint64_t>(::sysconf(_SC_CLK_TCK));
  const std::chrono::milliseconds since_boot{(*ticks + 1) * 1000 / a_second};
  return common::BootTime{std::chrono::duration_cast<common::BootClock::duration>(since_boot)};
}

}  // namespace

std::string unit_in_cgroups(std::string_view cgroups) {
  std::string_view legacy, unified;
  while (!cgroups.empty()) {
    const auto line = cgroups.substr(0, cgroups.find('\n'));
    cgroups.remove_prefix(std::min(line.size() + 1, cgroups.size()));
    const auto controllers = line.find(':');
    const auto path = controllers == std::string_view::npos ? controllers : line.find(':', controllers + 1);
    if (path == std::string_view::npos) continue;
    if (line.substr(controllers + 1, path - controllers - 1) == "name=systemd")
      legacy = line.substr(path + 1);
    if (line.starts_with("0::")) unified = line.substr(path + 1);
  }
  // With v1, the unified hierarchy has everything in its root; with v2, one of systemd's name may be there
  // for containers. Where both are systemd's, they say the same.
  std::string_view path = unified.empty() || unified == "/" ? legacy : unified;
  while (path.starts_with('/')) {
    path.remove_prefix(1);
    std::string_view component = path.substr(0, path.find('/'));
    path.remove_prefix(component.size());
    if (component.ends_with(".slice")) continue;
    // systemd puts an underscore before names that the kernel could take for its own.
    if (component.starts_with('_')) component.remove_prefix(1);
    const bool is_unit = component.ends_with(".service") || component.ends_with(".scope");
    return is_unit ? std::string{component} : std::string{};
  }
  return {};
}

std::optional<std::string> unit_of_peer(int socket, pid_t pid, uid_t uid, const Arrival& arrival) {
  if (pid <= 0) return std::string{};  // not in the daemon's process namespace
  int descriptor = -1;
  socklen_t size = sizeof descriptor;
  if (::getsockopt(socket, SOL_SOCKET, so_peerpidfd, &descriptor, &size) != 0) {
    if (is_shortage(errno)) return std::nullopt;
    // A process that is gone already is told from a kernel that cannot say.
    return errno == ENOPROTOOPT ? unit_of_process(pid, uid, arrival) : std::string{};
  }
  const UniqueFd pinned{descriptor};
  Process process{pid};
  if (process.lacked_descriptors()) return std::nullopt;
  // Alive now means that nobody else had its number when the directory was opened.
  if (!process.is_there() || has_ended(pinned)) return std::string{};
  return unit_of(process);
}

std::optional<std::string> unit_of_process(pid_t pid, uid_t uid, const Arrival& arrival,
                                           const std::string& proc) {
  if (pid <= 0 || arrival.was_queued) return std::string{};
  Process process{pid, proc};
  const bool is_the_users = effective_user(process.file("status")) == uid;
  const auto started = started_before(process.file("stat"));
  if (process.lacked_descriptors()) return std::nullopt;
  if (!is_the_users || !started || *started > arrival.accepted) return std::string{};
  return unit_of(process);
}

}  // namespace grantd::daemon
