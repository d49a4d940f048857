// application/x-www-form-urlencoded, read strictly: a broken escape is an error rather than a guess.
#include "common/ascii.hpp"
#include "daemon/catalog/token_access.hpp"

namespace grantd::daemon {

namespace {

std::optional<std::string> decode(std::string_view text) {
  std::string decoded;
  decoded.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '+') {
      decoded += ' ';
    } else if (text[i] == '%') {
      const int high = i + 1 < text.size() ? ascii::hex_value(text[i + 1]) : -1;
      const int low = i + 2 < text.size() ? ascii::hex_value(text[i + 2]) : -1;
      if (high < 0 || low < 0) return std::nullopt;
      decoded += static_cast<char>(high * 16 + low);
      i += 2;
    } else {
      decoded += text[i];
    }
  }
  return decoded;
}

}  // namespace

common::Result<std::vector<std::pair<std::string, std::string>>> parse_form(std::string_view text) {
  std::vector<std::pair<std::string, std::string>> pairs;
  while (!text.empty()) {
    const auto end = std::min(text.find('&'), text.size());
    const auto pair = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (pair.empty()) continue;
    const auto equals = std::min(pair.find('='), pair.size());
    auto name = decode(pair.substr(0, equals));
    auto value = decode(equals < pair.size() ? pair.substr(equals + 1) : std::string_view{});
    if (!name || !value) {
      return common::fail(common::ErrorCode::invalid_request,
                          "a % must be followed by two hexadecimal digits; write a literal % as %25");
    }
    pairs.emplace_back(std::move(*name), std::move(*value));
  }
  return pairs;
}

common::Result<std::chrono::seconds> parse_min_valid(std::string_view text) {
  constexpr std::int64_t most = 31'536'000;
  std::int64_t seconds = 0;
  bool good = !text.empty() && text.size() <= 8;
  for (const char c : text) {
    good = good && ascii::is_digit(c);
    if (good) seconds = seconds * 10 + (c - '0');
  }
  if (!good || seconds > most) {
    return common::fail(common::ErrorCode::invalid_request,
                        "min_valid is a whole number of seconds from 0 to 31536000");
  }
  return std::chrono::seconds{seconds};
}

}  // namespace grantd::daemon
