#pragma once

#include <sys/types.h>

#include <chrono>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "common/clock.hpp"
#include "common/error.hpp"
#include "common/secret.hpp"

namespace grantd::daemon {

/// What distinguishes the tokens of one definition from each other. Always in canonical form, so that equal
/// variants are equal values: lists sorted and without duplicates.
struct Variant {
  std::vector<std::string> scope{};
  std::vector<std::string> resource{};
  std::string audience{};
  std::map<std::string, std::string> parameters{};
  auto operator<=>(const Variant&) const = default;
};

enum class TokenType { bearer, dpop };

class DpopKey;

/// What proofs for a token are made of (RFC 9449 section 4): its key, and the token's hash, `ath`.
struct TokenBinding {
  std::shared_ptr<const DpopKey> key{};
  std::string access_token_hash{};
};

/// One access token as the authorization server issued it (RFC 6749 section 5.1). Shared, and immutable but
/// for what the local API notes about it; the boot clock decides about its validity, the wall clock only
/// tells people.
struct Token {
  /// How the local API wrote it last: kept here so that it goes when the token goes. Changed only while
  /// nobody else has a share of it. Loop thread only, as are the recipients.
  struct Document {
    std::int64_t expires_in;
    std::string text;
    std::size_t number_at;  // where `expires_in` stands in it
  };
  mutable std::shared_ptr<Document> document{};

  /// Who was given it: a user's systemd unit, and whether the log has told of it. Sorted.
  struct Recipient {
    uid_t uid;
    bool told;
    std::string unit;
  };
  mutable std::vector<Recipient> recipients{};

  common::BootTime obtained{};
  common::BootTime expires{};
  common::WallTime expires_wall{};
  common::Secret access_token{};
  TokenType type = TokenType::bearer;
  /// Space-separated, as granted; as asked for where the response does not say.
  std::string scope{};
  /// Opaque; the same for the same token string everywhere, different for another.
  std::string version{};
  /// Null: the token needs no proofs.
  std::shared_ptr<const TokenBinding> binding{};
};
using TokenPtr = std::shared_ptr<const Token>;

/// What a successful token response says, before it is put on a clock.
struct TokenGrant {
  common::Secret access_token{};
  TokenType type = TokenType::bearer;
  std::string scope{};
  std::string version{};
  std::shared_ptr<const TokenBinding> binding{};
  /// Life from the moment the request was sent. Zero or negative: good for those who wait, not to be cached.
  std::chrono::seconds lifetime{0};
  /// By how much the server's clock is ahead of this machine's, as far as it says.
  std::optional<std::chrono::seconds> server_ahead{};
  /// Its life on this machine's clock, where that did not begin with the request.
  struct Term {
    common::BootTime obtained;
    common::BootTime expires;
  };
  std::optional<Term> term{};
  /// Another daemon obtained it: no request to the server brought it here.
  bool shared = false;
};

/// A failed token request, with what the cache must know about it.
struct FetchError {
  /// How long it is remembered and by whom, SPEC section 2.
  enum class Memory {
    none,       // nothing was asked (credentials unreadable): the next use tries again
    transient,  // transport, 408, 429, 5xx, no token in the answer: 1 s doubling to 10 s, or Retry-After
    variant,    // an OAuth error or another 4xx: 1 s doubling to 60 s
    client,     // the same, for every variant of the client: invalid_client, unauthorized_client
  };
  common::Error error;
  Memory memory = Memory::transient;
  /// The server's own Retry-After, at most five minutes.
  std::optional<std::chrono::seconds> retry_after{};
  /// As in TokenGrant.
  std::optional<std::chrono::seconds> server_ahead{};
};

using FetchResult = std::expected<TokenGrant, FetchError>;

}  // namespace grantd::daemon
