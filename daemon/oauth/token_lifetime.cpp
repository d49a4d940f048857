// Servers name a lifetime as an integer, a fraction, a string, an absurdly large number or not at all. Each
// number is brought into bounds as a double, before it becomes an integer that could overflow.
#include "daemon/oauth/token_lifetime.hpp"

#include <algorithm>
#include <cmath>

#include "daemon/crypto/base64url.hpp"

namespace grantd::daemon {

namespace {

using std::chrono::seconds;

seconds bounded(double value) {
  constexpr auto most = static_cast<double>(longest_lifetime.count());
  return seconds{static_cast<std::int64_t>(std::floor(std::clamp(value, -most, most)))};
}

// [-]digits[.digits]; what stands after the point makes less than a second.
std::optional<seconds> seconds_from(std::string_view text) {
  const bool negative = text.starts_with('-');
  if (negative) text.remove_prefix(1);
  const auto point = std::min(text.find('.'), text.size());
  const auto whole = text.substr(0, point);
  const auto is_number = [](std::string_view part) {
    return !part.empty() && part.find_first_not_of("0123456789") == std::string_view::npos;
  };
  if (!is_number(whole)) return std::nullopt;
  if (point < text.size() && !is_number(text.substr(point + 1))) return std::nullopt;
  seconds value{0};
  for (const char digit : whole) value = std::min(value * 10 + seconds{digit - '0'}, longest_lifetime);
  return negative ? -value : value;
}

}  // namespace

std::optional<seconds> lifetime_of(const JsonValue& expires_in) {
  if (expires_in.kind == JsonValue::Kind::number) return bounded(expires_in.number);
  if (expires_in.kind == JsonValue::Kind::string) return seconds_from(expires_in.text.reveal());
  return std::nullopt;
}

std::optional<seconds> lifetime_of_jwt(std::string_view token, common::WallTime now) {
  if (std::ranges::count(token, '.') != 2) return std::nullopt;
  const auto begin = token.find('.') + 1;
  const auto payload = base64url_decode(token.substr(begin, token.rfind('.') - begin));
  if (!payload) return std::nullopt;
  const auto claims = JsonMembers::parse(payload->reveal(), {"exp"});
  if (!claims || (*claims)["exp"].kind != JsonValue::Kind::number) return std::nullopt;
  const auto wall = std::chrono::duration<double>{now.time_since_epoch()}.count();
  return bounded((*claims)["exp"].number - wall);
}

}  // namespace grantd::daemon
