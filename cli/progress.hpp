#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

namespace grantd::cli {

/// How far a transfer is.
struct Transfer {
  std::uint64_t done = 0;                // bytes
  std::optional<std::uint64_t> total{};  // where it is known
  std::chrono::milliseconds elapsed{};   // since its begin
};

/// One line about it without control characters, at most `columns` wide: what came of how much, a bar, the
/// rate, and the time that is left; without a total what came, and the rate. Pure.
std::string progress_line(const Transfer& transfer, std::size_t columns);

/// Shows a transfer that takes more than a second in one line of a terminal, drawn anew five times a second,
/// and takes it away in the end. One thread.
class Progress {
 public:
  /// Where standard error is a terminal and standard output is none; else it shows nothing.
  Progress();
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  /// Another direction begins, or the first.
  void begin(std::optional<std::uint64_t> total);
  void moved(std::size_t bytes);

 private:
  using Clock = std::chrono::steady_clock;
  void draw(Clock::time_point now);

  const bool visible_;
  bool drawn_ = false;
  Clock::time_point begun_{};
  Clock::time_point next_{};
  std::uint64_t done_ = 0;
  std::optional<std::uint64_t> total_{};
};

}  // namespace grantd::cli
