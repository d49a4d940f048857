#pragma once

#include <optional>
#include <stop_token>
#include <string>
#include <string_view>

#include "client-lib/src/connector.hpp"
#include "client-lib/src/local_call.hpp"
#include "common/secret.hpp"
#include "grantd/token.hpp"

namespace grantd::detail {

/// The daemon's answer to a request for a token: the JSON object as it came, and what it says.
struct TokenAnswer {
  Token token{};
  common::Secret json{};
};
TokenAnswer ask_for_token(Connector& connector, std::string_view name, const TokenRequest& request,
                          const std::stop_token& stop);

/// How long a token in a page must be valid to be what the request asks for, as PageSlot::read takes it;
/// nothing where the daemon has to be asked.
std::optional<std::int64_t> validity_wanted_of_page(const TokenRequest& request);

/// Gives the text of the token that the request asks for to `copy`, if it stands in a page of this process.
/// False: it does not, and what was copied is of no use.
template <class Copy>
bool copy_from_page(Connector& connector, std::string_view name, const TokenRequest& request,
                    const Copy& copy) {
  const auto validity = validity_wanted_of_page(request);
  if (!validity) return false;
  bool wanted = false;
  const bool whole = connector.pages().copy(PageKey{name, request}, *validity, [&](const TokenText& text) {
    wanted = request.rejected != text.version();
    if (wanted) copy(text);
  });
  return whole && wanted;
}

/// The token from the daemon, whose page is then kept.
Token get_token(Connector& connector, std::string_view name, const TokenRequest& request,
                const std::stop_token& stop);

/// The request for a token: a GET where nothing is asked beyond the definition, else a POST with JSON.
LocalRequest token_request(const std::string& target, const TokenRequest& request);

/// Path of a definition's token. Error "invalid_request" for a name that no definition can have.
std::string token_target(std::string_view name);

/// Nothing where `json` is not a token as the daemon gives them, or what it holds could not travel in a
/// header.
std::optional<Token> parse_token(std::string_view json);

/// RFC 3339, in UTC.
std::optional<std::chrono::system_clock::time_point> parse_utc(std::string_view text);

/// Throws Error "invalid_request" for what no client or API can be called.
void check_name(std::string_view name);

}  // namespace grantd::detail
