// A token is used in a request's header by whoever gets it, so what could break out of a header is no token.
#include "client-lib/src/token_call.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <utility>

#include "client-lib/src/json.hpp"
#include "client-lib/src/passed_page.hpp"
#include "client-lib/src/response_head.hpp"
#include "client-lib/src/token_block.hpp"
#include "common/ascii.hpp"
#include "common/local_api.hpp"
#include "common/syntax.hpp"

namespace grantd::detail {
namespace {

constexpr std::size_t max_token = 16384;

/// Writes the members of a JSON object one after another.
class ObjectWriter {
 public:
  common::Secret& member(std::string_view name) {
    json_.append(json_.empty() ? "{" : ",");
    append_json_string(json_, name);
    json_.append(":");
    return json_;
  }
  void string(std::string_view name, std::string_view value) {
    if (!value.empty()) append_json_string(member(name), value);
  }
  common::Secret finish() && {
    if (!json_.empty()) json_.append("}");
    return std::move(json_);
  }

 private:
  common::Secret json_;
};

[[noreturn]] void throw_no_token() {
  throw Error("daemon_unreachable", "what listens there does not answer with a token as grantd does");
}

// A process in another time namespace (time_namespaces(7)) cannot compare a page's times with its own. An
// answer that was long on its way looks the same, and costs no more than another request.
bool is_same_clock(std::string_view json) {
  constexpr std::int64_t tolerance = 1000;
  std::optional<std::int64_t> daemons;
  read_json_object(json, [&daemons](const JsonMember& member) {
    std::int64_t value = 0;
    const char* const end = member.text.data() + member.text.size();
    if (member.name == "boottime_ms" && member.kind == JsonKind::number &&
        std::from_chars(member.text.data(), end, value).ptr == end) {
      daemons = value;
    }
  });
  const std::int64_t own = boottime() / 1'000'000;
  return daemons && *daemons >= own - tolerance && *daemons <= own + tolerance;
}

/// For the token that the first request has brought already.
TokenRequest ask_again(TokenRequest request) {
  request.force_renewal = false;
  request.rejected.clear();
  return request;
}

bool is_visible_ascii(std::string_view text) { return std::ranges::all_of(text, ascii::is_visible); }

}  // namespace

TokenAnswer ask_for_token(Connector& connector, std::string_view name, const TokenRequest& request,
                          const std::stop_token& stop) {
  const std::string target = token_target(name);
  auto answer = ask_daemon_or_throw(connector, token_request(target, request), stop);
  auto token = parse_token(answer.body.reveal());
  if (!token) throw_no_token();
  return {.token = std::move(*token), .json = std::move(answer.body)};
}

std::optional<std::int64_t> validity_wanted_of_page(const TokenRequest& request) {
  constexpr std::chrono::seconds most{1 << 30};
  if (!request.assertion.empty() || request.force_renewal) return std::nullopt;
  if (!request.min_valid) return PageSlot::usual_validity;
  if (*request.min_valid < std::chrono::seconds{0}) return std::nullopt;
  return std::chrono::nanoseconds{std::min(*request.min_valid, most)}.count();
}

Token get_token(Connector& connector, std::string_view name, const TokenRequest& request,
                const std::stop_token& stop) {
  if (!request.assertion.empty()) return ask_for_token(connector, name, request, stop).token;
  const std::string target = token_target(name).append(local_api::page_suffix);
  auto answer = ask_daemon_or_throw(connector, token_request(target, request), stop);
  if (!answer.descriptor) {
    if (auto token = parse_token(answer.body.reveal())) return std::move(*token);
    throw_no_token();
  }
  const auto page = PassedPage::take(std::move(answer.descriptor));
  // Closed in this moment, or nothing that this library can read.
  if (!page) return ask_for_token(connector, name, ask_again(request), stop).token;
  if (is_same_clock(answer.body.reveal())) connector.pages().keep({name, request}, *page);
  Token token;
  TokenBlock::fill(token, page->text());
  return token;
}

std::string token_target(std::string_view name) {
  check_name(name);
  return std::string{local_api::tokens_prefix}.append(name);
}

LocalRequest token_request(const std::string& target, const TokenRequest& request) {
  ObjectWriter json;
  json.string("scope", request.scope);
  if (!request.resource.empty()) {
    common::Secret& out = json.member("resource");
    std::string_view before = "[";
    for (const std::string& resource : request.resource) {
      out.append(std::exchange(before, ","));
      append_json_string(out, resource);
    }
    out.append("]");
  }
  json.string("audience", request.audience);
  if (!request.parameters.empty()) {
    common::Secret& out = json.member("parameters");
    std::string_view before = "{";
    for (const auto& [name, value] : request.parameters) {
      out.append(std::exchange(before, ","));
      append_json_string(out, name);
      out.append(":");
      append_json_string(out, value);
    }
    out.append("}");
  }
  json.string("assertion", request.assertion);
  if (request.min_valid) json.member("min_valid").append(std::to_string(request.min_valid->count()));
  if (request.force_renewal) json.member("force_renewal").append("true");
  json.string("rejected", request.rejected);
  LocalRequest outgoing{.target = target, .json = std::move(json).finish()};
  if (!outgoing.json.empty()) outgoing.method = "POST";
  return outgoing;
}

std::optional<Token> parse_token(std::string_view json) {
  common::Secret value;
  std::string type;
  std::string scope;
  std::string version;
  std::string expires_at;
  const bool read = read_json_object(json, [&](const JsonMember& member) {
    if (member.kind != JsonKind::string) return;
    if (member.name == "access_token") value = common::Secret{member.text};
    if (member.name == "token_type") type = member.text;
    if (member.name == "scope") scope = member.text;
    if (member.name == "version") version = member.text;
    if (member.name == "expires_at") expires_at = member.text;
  });
  const auto expiry = parse_utc(expires_at);
  const bool dpop = ascii::equal_ignoring_case(type, "dpop");
  if (!read || !expiry || !(dpop || ascii::equal_ignoring_case(type, "bearer"))) return std::nullopt;
  if (value.empty() || value.size() > max_token || !is_visible_ascii(value.reveal())) return std::nullopt;
  if (version.empty() || version.size() > 1024 || !is_visible_ascii(version)) return std::nullopt;
  return Token{Token::Parts{.value = value.reveal(),
                            .type = dpop ? "DPoP" : "Bearer",
                            .scope = scope,
                            .version = version,
                            .expires_at = *expiry}};
}

// "2026-01-31T12:00:00Z", seconds with a fraction or without.
std::optional<std::chrono::system_clock::time_point> parse_utc(std::string_view text) {
  constexpr std::string_view shape = "0000-00-00T00:00:00";
  if (text.size() <= shape.size()) return std::nullopt;
  std::array<int, 6> numbers{};
  std::size_t field = 0;
  for (std::size_t i = 0; i < shape.size(); ++i) {
    if (shape[i] != '0') {
      if (text[i] != shape[i]) return std::nullopt;
      ++field;
    } else if (ascii::is_digit(text[i])) {
      numbers[field] = numbers[field] * 10 + (text[i] - '0');
    } else {
      return std::nullopt;
    }
  }
  auto rest = text.substr(shape.size());
  if (rest.starts_with('.')) {
    const auto end = rest.find_first_not_of("0123456789", 1);
    if (end == 1 || end == std::string_view::npos) return std::nullopt;
    rest.remove_prefix(end);
  }
  const auto [year, month, day, hour, minute, second] = numbers;
  const std::chrono::year_month_day date{std::chrono::year{year},
                                         std::chrono::month{static_cast<unsigned>(month)},
                                         std::chrono::day{static_cast<unsigned>(day)}};
  if (rest != "Z" || !date.ok() || hour > 23 || minute > 59 || second > 60) return std::nullopt;
  if (year < 1970 || year > 2261) return std::nullopt;  // beyond it the clock's nanoseconds overflow
  return std::chrono::sys_days{date} + std::chrono::hours{hour} + std::chrono::minutes{minute} +
         std::chrono::seconds{second};
}

void check_name(std::string_view name) {
  if (!syntax::is_definition_name(name)) {
    throw Error(
        "invalid_request",
        "names of clients and APIs have 1 to 128 characters out of letters, digits, dot, underscore and "
        "hyphen, and are not dots alone");
  }
}

}  // namespace grantd::detail
