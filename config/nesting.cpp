// The TOML library's tables own each other, so that a dotted key of a hundred thousand parts overflows the
// stack when they are destroyed (its 3.3 has no limit). Counting beforehand takes only what tells strings and
// comments apart.
#include "config/nesting.hpp"

namespace grantd::config {

namespace {

class Scanner {
 public:
  explicit Scanner(std::string_view text) : text_(text) {}

  std::optional<TextPosition> run() {
    while (at_ < text_.size()) {
      const char c = text_[at_];
      if (c == '"' || c == '\'') {
        skip_string(c);
        continue;
      }
      if (c == '#') {
        while (at_ < text_.size() && text_[at_] != '\n') advance();
        continue;
      }
      count(c);
      if (brackets_ > max_nesting || dots_ >= max_nesting) return position_;
      advance();
    }
    return std::nullopt;
  }

 private:
  void advance() {
    if (text_[at_] == '\n') {
      ++position_.line;
      position_.column = 1;
    } else {
      ++position_.column;
    }
    ++at_;
  }

  void count(char c) {
    if (c == '.') {
      ++dots_;
      return;
    }
    if (c == '[' || c == '{') ++brackets_;
    if ((c == ']' || c == '}') && brackets_ > 0) --brackets_;
    if (c == '\n' || c == '=' || c == ',' || c == '[' || c == ']' || c == '{' || c == '}') dots_ = 0;
  }

  void skip_string(char quote) {
    const std::string_view rest = text_.substr(at_);
    const bool multi_line = rest.size() >= 3 && rest[1] == quote && rest[2] == quote;
    for (int i = 0; i < (multi_line ? 3 : 1); ++i) advance();
    std::size_t quotes = 0;
    while (at_ < text_.size()) {
      const char c = text_[at_];
      if (!multi_line && c == '\n') return;  // not closed: the parser will say so
      if (c == '\\' && quote == '"' && at_ + 1 < text_.size()) {
        advance();
        quotes = 0;
      } else {
        quotes = c == quote ? quotes + 1 : 0;
      }
      advance();
      if (quotes == (multi_line ? 3U : 1U)) break;
    }
    // Up to two quotes may stand right before the closing three.
    for (int i = 0; multi_line && i < 2 && at_ < text_.size() && text_[at_] == quote; ++i) advance();
  }

  std::string_view text_;
  std::size_t at_ = 0;
  TextPosition position_;
  std::size_t brackets_ = 0;
  std::size_t dots_ = 0;
};

}  // namespace

std::optional<TextPosition> find_deep_nesting(std::string_view toml) { return Scanner{toml}.run(); }

}  // namespace grantd::config
