// Logging must never hold up a request, so lines go through a bounded queue to a thread that may block on a
// full pipe. The format is what systemd's journal and a person with grep both read.
#include "common/log.hpp"

#include <poll.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <mutex>

#include "common/ascii.hpp"
#include "common/signals_blocked.hpp"

namespace grantd::common {
namespace {

constexpr std::size_t max_queued_lines = 4096;
constexpr std::size_t max_value_size = 2048;

char priority_of(LogLevel level) {
  switch (level) {
    case LogLevel::error:
      return '3';
    case LogLevel::warning:
      return '4';
    case LogLevel::info:
      return '6';
    case LogLevel::debug:
      return '7';
  }
  return '6';
}

bool is_plain(std::string_view value) {
  if (value.empty()) return false;
  for (const char c : value) {
    if (c <= ' ' || c > '~' || c == '"' || c == '=' || c == '\\') return false;
  }
  return true;
}

void append_quoted(std::string& line, std::string_view value) {
  constexpr std::string_view hex = "0123456789abcdef";
  line += '"';
  for (const char c : value) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      line += '\\';
      line += c;
    } else if (ascii::is_printable(c)) {
      line += c;
    } else {
      line += "\\u00";
      line += hex[byte >> 4];
      line += hex[byte & 15];
    }
  }
  line += '"';
}

bool write_all(int fd, std::string_view text) {
  while (!text.empty()) {
    const ssize_t written = ::write(fd, text.data(), text.size());
    if (written >= 0) {
      text.remove_prefix(static_cast<std::size_t>(written));
    } else if (errno == EAGAIN) {
      pollfd waiting{.fd = fd, .events = POLLOUT, .revents = 0};
      ::poll(&waiting, 1, -1);
    } else if (errno != EINTR) {
      return false;
    }
  }
  return true;
}

}  // namespace

std::string format_log_line(LogLevel level, std::string_view event, std::initializer_list<LogField> fields) {
  std::string line{'<', priority_of(level), '>'};
  const auto append = [&line](const LogField& field) {
    line += field.key;
    line += '=';
    if (const auto* number = std::get_if<std::int64_t>(&field.value)) {
      line += std::to_string(*number);
      return;
    }
    const auto text = std::get<std::string_view>(field.value).substr(0, max_value_size);
    if (is_plain(text)) {
      line += text;
    } else {
      append_quoted(line, text);
    }
  };
  append({"event", event});
  for (const LogField& field : fields) {
    line += ' ';
    append(field);
  }
  line += '\n';
  return line;
}

struct StreamLogger::State {
  const int fd;
  std::mutex mutex{};
  std::condition_variable changed{};
  // All below is guarded by mutex.
  std::deque<std::string> lines{};
  std::uint64_t dropped = 0;
  LogLevel level = LogLevel::info;
  bool stopping = false;
  bool finished = false;
};

StreamLogger::StreamLogger(int fd) : state_(new State{.fd = fd}) {
  const SignalsBlocked blocked;
  writer_ = std::thread([state = state_] { run(state); });
}

StreamLogger::~StreamLogger() {
  std::unique_lock lock{state_->mutex};
  state_->stopping = true;
  state_->changed.notify_all();
  const bool finished =
      state_->changed.wait_for(lock, std::chrono::seconds{1}, [this] { return state_->finished; });
  lock.unlock();
  if (finished) {
    writer_.join();
  } else {
    writer_.detach();
  }
}

void StreamLogger::set_level(LogLevel level) {
  const std::lock_guard lock{state_->mutex};
  state_->level = level;
}

void StreamLogger::write(LogLevel level, std::string_view event, std::initializer_list<LogField> fields) {
  {
    const std::lock_guard lock{state_->mutex};
    if (level > state_->level) return;
    if (state_->lines.size() >= max_queued_lines) {
      ++state_->dropped;
      return;
    }
    if (state_->dropped > 0) {
      state_->lines.push_back(
          format_log_line(LogLevel::warning, "log_lines_dropped", {{"count", state_->dropped}}));
      state_->dropped = 0;
    }
    state_->lines.push_back(format_log_line(level, event, fields));
  }
  state_->changed.notify_all();
}

void StreamLogger::run(const std::shared_ptr<State>& state) {
  std::unique_lock lock{state->mutex};
  while (true) {
    state->changed.wait(lock, [&] { return state->stopping || !state->lines.empty(); });
    if (state->lines.empty()) break;
    const std::string line = std::move(state->lines.front());
    state->lines.pop_front();
    lock.unlock();
    const bool written = write_all(state->fd, line);
    lock.lock();
    if (!written) state->lines.clear();
  }
  state->finished = true;
  state->changed.notify_all();
}

}  // namespace grantd::common
