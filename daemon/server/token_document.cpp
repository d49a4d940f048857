// Written by hand into one string of the right size: this is the daemon's most frequent answer.
#include "daemon/server/token_document.hpp"

#include <algorithm>

#include "common/fetch_ahead.hpp"
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

// Where the number stands.
std::size_t append_members(std::string& text, const Token& token, std::string_view client,
                           std::int64_t expires_in) {
  text += token.type == TokenType::dpop ? "\"token_type\":\"DPoP\",\"expires_in\":"
                                        : "\"token_type\":\"Bearer\",\"expires_in\":";
  const std::size_t number_at = text.size();
  text += std::to_string(expires_in);
  text += ",\"expires_at\":\"";
  append_utc(text, token.expires_wall);
  text += "\",\"scope\":";
  append_json_string(text, token.scope);
  text += ",\"client\":";
  append_json_string(text, client);
  text += ",\"version\":";
  append_json_string(text, token.version);
  return number_at;
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

NotedHandout note_handout(const Token& token, uid_t uid, std::string_view unit) {
  auto& recipients = token.recipients;
  const auto found = std::ranges::lower_bound(
      recipients, std::pair{uid, unit}, {},
      [](const Token::Recipient& one) { return std::pair{one.uid, std::string_view{one.unit}}; });
  if (found != recipients.end() && found->uid == uid && found->unit == unit)
    return {.kind = found->told ? HandoutKind::told : HandoutKind::untold, .recipient = *found};
  return {.kind = HandoutKind::first,
          .recipient = *recipients.insert(found, {.uid = uid, .told = false, .unit = std::string{unit}})};
}

std::shared_ptr<const Token::Document> token_document(const Token& token, std::string_view client,
                                                      common::BootTime now) {
  const std::int64_t expires_in = seconds_left(token, now);
  auto& last = token.document;
  // The kernel copies it only when all else is done.
  if (last) common::fetch_ahead(last->text.data(), std::min(last->text.size(), common::enough_ahead));
  if (last && last->expires_in == expires_in) return last;
  if (last && last.use_count() == 1) {  // nobody is still sending it
    last->text.replace(last->number_at, std::to_string(last->expires_in).size(), std::to_string(expires_in));
    last->expires_in = expires_in;
    return last;
  }
  std::string text = "{\"access_token\":";
  text.reserve(256 + token.access_token.size() + token.scope.size() + client.size() + token.version.size());
  append_json_string(text, token.access_token.reveal());
  text += ',';
  const std::size_t number_at = append_members(text, token, client, expires_in);
  text += '}';
  last = std::make_shared<Token::Document>(expires_in, std::move(text), number_at);
  return last;
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
