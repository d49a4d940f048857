// A short transfer is over before a line about it could be read, and one to a terminal shows itself.
#include "cli/progress.hpp"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <string_view>

namespace grantd::cli {
namespace {

using std::chrono::milliseconds;

constexpr std::chrono::seconds unseen{1};
constexpr milliseconds interval{200};
constexpr double longest_told = 99 * 3600 + 59 * 60 + 59;  // seconds
constexpr std::size_t narrowest_bar = 10;
constexpr std::size_t widest_bar = 40;

std::string spoken_size(double bytes) {
  constexpr std::array units{"B", "KiB", "MiB", "GiB", "TiB"};
  std::size_t unit = 0;
  while (bytes >= 1024 && unit + 1 < units.size()) {
    bytes /= 1024;
    ++unit;
  }
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), unit == 0 ? "%.0f %s" : "%.1f %s", bytes, units[unit]);
  return text.data();
}

std::string spoken_time(std::uint64_t seconds) {
  std::array<char, 32> text{};
  if (seconds >= 3600) {
    std::snprintf(
        text.data(), text.size(), "%llu:%02llu:%02llu", static_cast<unsigned long long>(seconds / 3600),
        static_cast<unsigned long long>(seconds / 60 % 60), static_cast<unsigned long long>(seconds % 60));
  } else {
    std::snprintf(text.data(), text.size(), "%llu:%02llu", static_cast<unsigned long long>(seconds / 60),
                  static_cast<unsigned long long>(seconds % 60));
  }
  return text.data();
}

void write_to_terminal(std::string_view text) {
  while (!text.empty()) {
    const ssize_t written = ::write(STDERR_FILENO, text.data(), text.size());
    if (written <= 0) return;  // nothing hangs on it
    text.remove_prefix(static_cast<std::size_t>(written));
  }
}

std::size_t terminal_columns() {
  winsize size{};
  const bool known = ::ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0;
  return known ? size.ws_col : 80;
}

}  // namespace

std::string progress_line(const Transfer& transfer, std::size_t columns) {
  const double seconds = std::max(std::chrono::duration<double>(transfer.elapsed).count(), 0.001);
  const double rate = static_cast<double>(transfer.done) / seconds;
  const std::string speed = spoken_size(rate) + "/s";
  std::string line = spoken_size(static_cast<double>(transfer.done));
  if (!transfer.total || *transfer.total == 0) {
    line += "  " + speed;
  } else {
    const double share =
        std::min(1.0, static_cast<double>(transfer.done) / static_cast<double>(*transfer.total));
    const double left =
        std::min(longest_told, static_cast<double>(*transfer.total) * (1 - share) / std::max(rate, 1.0));
    const std::string before = line + " of " + spoken_size(static_cast<double>(*transfer.total)) + "  " +
                               std::to_string(static_cast<int>(share * 100)) + " %  ";
    const std::string behind = "  " + speed + "  " + spoken_time(static_cast<std::uint64_t>(left)) + " left";
    const std::size_t used = before.size() + behind.size() + 2;
    line = before;
    if (columns >= used + narrowest_bar) {
      const std::size_t width = std::min(widest_bar, columns - used);
      const auto filled = static_cast<std::size_t>(share * static_cast<double>(width));
      line.append("[").append(filled, '=').append(width - filled, ' ').append("]");
    }
    line += behind;
  }
  line.resize(std::min(line.size(), columns));
  return line;
}

Progress::Progress() : visible_(::isatty(STDERR_FILENO) == 1 && ::isatty(STDOUT_FILENO) == 0) {}

Progress::~Progress() {
  if (drawn_) write_to_terminal("\r\x1b[K");
}

void Progress::begin(std::optional<std::uint64_t> total) {
  begun_ = Clock::now();
  next_ = begun_ + unseen;
  done_ = 0;
  total_ = total;
}

void Progress::moved(std::size_t bytes) {
  done_ += bytes;
  if (!visible_) return;
  if (const auto now = Clock::now(); now >= next_) draw(now);
}

void Progress::draw(Clock::time_point now) {
  next_ = now + interval;
  drawn_ = true;
  const Transfer transfer{
      .done = done_, .total = total_, .elapsed = std::chrono::duration_cast<milliseconds>(now - begun_)};
  // The last column stays free: terminals wrap there in different ways.
  write_to_terminal("\r\x1b[K" + progress_line(transfer, terminal_columns() - 1));
}

}  // namespace grantd::cli
