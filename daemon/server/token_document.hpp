#pragma once

#include <string>
#include <string_view>

#include "daemon/oauth/token.hpp"

namespace grantd::daemon {

/// The token as the local API gives it; the same one until `expires_in` changes. Nobody's copy changes under
/// him. Loop thread only.
std::shared_ptr<const Token::Document> token_document(const Token& token, std::string_view client,
                                                      common::BootTime now);

/// The same for a caller that is passed the token's page: without the token itself where it has the page, and
/// with the daemon's CLOCK_BOOTTIME in milliseconds.
std::string page_document(const Token& token, std::string_view client, common::BootTime now, bool has_page);

/// What a hand-out to a user and unit is to the audit log: the first one of the token, or another one, and
/// then whether a line has told of the first.
enum class HandoutKind { first, untold, told };
struct NotedHandout {
  HandoutKind kind;
  Token::Recipient& recipient;  // valid until the next hand-out of the token is noted
};
/// From now on it is another one. Loop thread only.
NotedHandout note_handout(const Token& token, uid_t uid, std::string_view unit);

/// RFC 3339 in UTC, whole seconds: "2026-01-01T00:00:00Z".
void append_utc(std::string& out, common::WallTime time);

}  // namespace grantd::daemon
