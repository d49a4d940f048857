#pragma once

#include <algorithm>
#include <mutex>
#include <string>
#include <vector>

#include "common/log.hpp"

namespace grantd::tests {

/// Keeps every line, for tests that say what must (or must never) be logged.
class LogRecorder final : public common::Logger {
 public:
  void write(common::LogLevel level, std::string_view event,
             std::initializer_list<common::LogField> fields) override {
    const std::lock_guard lock{mutex_};
    lines_.push_back(common::format_log_line(level, event, fields));
  }
  std::vector<std::string> lines() const {
    const std::lock_guard lock{mutex_};
    return lines_;
  }
  /// How many lines hold the text.
  std::size_t count(std::string_view text) const {
    const auto all = lines();
    return static_cast<std::size_t>(std::ranges::count_if(
        all, [&](const std::string& line) { return line.find(text) != std::string::npos; }));
  }
  bool has(std::string_view text) const { return count(text) != 0; }

 private:
  mutable std::mutex mutex_;
  std::vector<std::string> lines_;
};

}  // namespace grantd::tests
