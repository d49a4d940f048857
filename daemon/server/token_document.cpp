// Written by hand into one string of the right size: this is the daemon's most frequent answer.
#include "daemon/server/token_document.hpp"

#include <algorithm>

#include "daemon/server/json_text.hpp"

namespace grantd::daemon {
namespace {

void append_digits(std::string& out, unsigned number, int width) {
  char digits[4];
  for (int i = width - 1; i >= 0; --i) {
    digits[i] = static_cast<char>('0' + number % 10);
    number /= 10;
  }
  out.append(digits, static_cast<std::size_t>(width));
}

void append_members(std::string& text, const Token& token, std::string_view client, std::int64_t expires_in) {
  text += token.type == TokenType::dpop ? "\"token_type\":\"DPoP\",\"expires_in\":"
                                        : "\"token_type\":\"Bearer\",\"expires_in\":";
  text += std::to_string(expires_in);
  text += ",\"expires_at\":\"";
  append_utc(text, token.expires_wall);
  text += "\",\"scope\":";
  append_json_string(text, token.scope);
  text += ",\"client\":";
  append_json_string(text, client);
  text += ",\"version\":";
  append_json_string(text, token.version);
}

std::int64_t seconds_left(const Token& token, common::BootTime now) {
  const auto left = std::chrono::floor<std::chrono::seconds>(token.expires - now);
  return std::max<std::int64_t>(left.count(), 0);
}

}  // namespace

void append_utc(std::string& out, common::WallTime time) {
  const auto seconds = std::chrono::floor<std::chrono::seconds>(time);
  const auto day = std::chrono::floor<std::chrono::days>(seconds);
  const std::chrono::year_month_day date{day};
  const std::chrono::hh_mm_ss clock{seconds - day};
  append_digits(out, static_cast<unsigned>(static_cast<int>(date.year())), 4);
  out += '-';
  append_digits(out, static_cast<unsigned>(date.month()), 2);
  out += '-';
  append_digits(out, static_cast<unsigned>(date.day()), 2);
  out += 'T';
  append_digits(out, static_cast<unsigned>(clock.hours().count()), 2);
  out += ':';
  append_digits(out, static_cast<unsigned>(clock.minutes().count()), 2);
  out += ':';
  append_digits(out, static_cast<unsigned>(clock.seconds().count()), 2);
  out += 'Z';
}

HandoutKind note_handout(const Token& token, uid_t uid, std::string_view unit) {
  auto& units = token.recipients[uid];
  const auto found = units.find(unit);
  if (found != units.end()) return found->second ? HandoutKind::told : HandoutKind::untold;
  units.emplace(unit, false);
  return HandoutKind::first;
}

void note_told(const Token& token, uid_t uid, std::string_view unit) {
  token.recipients[uid].insert_or_assign(std::string{unit}, true);
}

std::shared_ptr<const Token::Document> token_document(const Token& token, std::string_view client,
                                                      common::BootTime now) {
  const std::int64_t expires_in = seconds_left(token, now);
  if (token.document && token.document->expires_in == expires_in) return token.document;
  std::string text = "{\"access_token\":";
  text.reserve(256 + token.access_token.size() + token.scope.size() + client.size() + token.version.size());
  append_json_string(text, token.access_token.reveal());
  text += ',';
  append_members(text, token, client, expires_in);
  text += '}';
  token.document = std::make_shared<const Token::Document>(expires_in, std::move(text));
  return token.document;
}

std::string page_document(const Token& token, std::string_view client, common::BootTime now, bool has_page) {
  std::string text = "{";
  if (!has_page) {
    text += "\"access_token\":";
    append_json_string(text, token.access_token.reveal());
    text += ',';
  }
  append_members(text, token, client, seconds_left(token, now));
  text += ",\"boottime_ms\":";
  text += std::to_string(std::chrono::floor<std::chrono::milliseconds>(now.time_since_epoch()).count());
  text += '}';
  return text;
}

}  // namespace grantd::daemon
