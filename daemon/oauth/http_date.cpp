// The C library's strptime depends on the locale and GCC 12 has no std::chrono::parse. The three formats have
// the same words in another order, so they are taken apart into words first.
#include "daemon/oauth/http_date.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>

namespace grantd::daemon {

namespace {

using std::chrono::day;
using std::chrono::month;
using std::chrono::year;

// weekday, day, month, year, hour, minute, second, "GMT"
using Words = std::array<std::string_view, 8>;

std::optional<std::size_t> split(std::string_view text, Words& words) {
  constexpr std::string_view separators = " ,-:";
  std::size_t count = 0;
  while (true) {
    const auto begin = text.find_first_not_of(separators);
    if (begin == std::string_view::npos) return count;
    text.remove_prefix(begin);
    const auto end = std::min(text.find_first_of(separators), text.size());
    if (count == words.size()) return std::nullopt;
    words[count++] = text.substr(0, end);
    text.remove_prefix(end);
  }
}

std::optional<unsigned> number(std::string_view word, unsigned most) {
  unsigned value = 0;
  const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), value);
  if (error != std::errc{} || end != word.data() + word.size() || value > most) return std::nullopt;
  return value;
}

std::optional<month> month_of(std::string_view word) {
  constexpr std::string_view names = "JanFebMarAprMayJunJulAugSepOctNovDec";
  const auto at = word.size() == 3 ? names.find(word) : std::string_view::npos;
  if (at == std::string_view::npos || at % 3 != 0) return std::nullopt;
  return month{static_cast<unsigned>(at / 3 + 1)};
}

// A date that seems to lie more than 50 years ahead is one of the past.
year full_year(unsigned value, std::size_t digits, common::WallTime now) {
  if (digits > 2) return year{static_cast<int>(value)};
  const int this_year =
      static_cast<int>(std::chrono::year_month_day{std::chrono::floor<std::chrono::days>(now)}.year());
  int candidate = this_year - this_year % 100 + static_cast<int>(value);
  if (candidate > this_year + 50) candidate -= 100;
  return year{candidate};
}

}  // namespace

std::optional<common::WallTime> parse_http_date(std::string_view text, common::WallTime now) {
  Words words;
  const auto count = split(text, words);
  if (count == 7) {  // asctime: Sun Nov  6 08:49:37 1994
    words = {words[0], words[2], words[1], words[6], words[3], words[4], words[5], "GMT"};
  } else if (count != 8 || words[7] != "GMT") {
    return std::nullopt;
  }
  const auto day_number = number(words[1], 31);
  const auto month_number = month_of(words[2]);
  const auto year_number = number(words[3], 9999);
  const auto hours = number(words[4], 23);
  const auto minutes = number(words[5], 59);
  const auto seconds = number(words[6], 60);  // 60: a leap second
  if (!day_number || !month_number || !year_number || !hours || !minutes || !seconds) return std::nullopt;
  const std::chrono::year_month_day date{full_year(*year_number, words[3].size(), now), *month_number,
                                         day{*day_number}};
  // system_clock counts nanoseconds in 64 bits, which ends in 2262.
  if (!date.ok() || date.year() < year{1900} || date.year() > year{2200}) return std::nullopt;
  return std::chrono::sys_days{date} + std::chrono::hours{*hours} + std::chrono::minutes{*minutes} +
         std::chrono::seconds{*seconds};
}

}  // namespace grantd::daemon
