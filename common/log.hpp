#pragma once

#include <concepts>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <variant>

namespace grantd::common {

enum class LogLevel { error, warning, info, debug };

/// One `key=value` of a log line. Neither secrets nor tokens have a conversion to it.
struct LogField {
  std::string_view key;
  std::variant<std::string_view, std::int64_t> value;

  LogField(std::string_view k, std::string_view v) : key(k), value(v) {}
  LogField(std::string_view k, const char* v) : key(k), value(std::string_view{v}) {}
  LogField(std::string_view k, const std::string& v) : key(k), value(std::string_view{v}) {}
  template <class Number>
    requires std::integral<Number>
  LogField(std::string_view k, Number v) : key(k), value(static_cast<std::int64_t>(v)) {}
};

/// One event as one line: systemd's priority prefix, `event=...`, then the fields. Values outside printable
/// ASCII or with a space, `"` or `=` are quoted as JSON strings.
std::string format_log_line(LogLevel level, std::string_view event, std::initializer_list<LogField> fields);

/// Where events go. Callable from any thread; never blocks the caller on the sink.
class Logger {
 public:
  virtual ~Logger() = default;
  virtual void write(LogLevel level, std::string_view event, std::initializer_list<LogField> fields) = 0;

  using Fields = std::initializer_list<LogField>;
  void error(std::string_view event, Fields fields = {}) { write(LogLevel::error, event, fields); }
  void warning(std::string_view event, Fields fields = {}) { write(LogLevel::warning, event, fields); }
  void info(std::string_view event, Fields fields = {}) { write(LogLevel::info, event, fields); }
  void debug(std::string_view event, Fields fields = {}) { write(LogLevel::debug, event, fields); }
};

/// Writes to a descriptor from a thread of its own, so that a full pipe delays nobody. What does not fit into
/// the bounded queue is dropped and counted, and the count is logged once there is room again.
class StreamLogger final : public Logger {
 public:
  /// `fd` stays open for as long as the process; SIGPIPE must be ignored.
  explicit StreamLogger(int fd);
  /// Writes what is queued, for at most a second: a reader that is stuck then costs lines, not the end of the
  /// process.
  ~StreamLogger() override;
  StreamLogger(const StreamLogger&) = delete;
  StreamLogger& operator=(const StreamLogger&) = delete;

  void write(LogLevel level, std::string_view event, std::initializer_list<LogField> fields) override;
  void set_level(LogLevel level);

 private:
  struct State;
  static void run(const std::shared_ptr<State>& state);

  std::shared_ptr<State> state_;  // shared with the writer, which a stuck reader may make outlive the logger
  std::thread writer_;
};

}  // namespace grantd::common
