#pragma once

#include <chrono>
#include <filesystem>
#include <memory>
#include <stop_token>
#include <string>
#include <string_view>
#include <utility>

#include "grantd/error.hpp"
#include "grantd/export.h"
#include "grantd/http.hpp"
#include "grantd/token.hpp"

namespace grantd {

struct ClientOptions {
  /// The daemon's socket. Empty: $GRANTD_SOCKET (not read in a set-user-id program), else
  /// /run/grantd/grantd.sock.
  std::filesystem::path socket{};
  /// Of one call, everything included; for a streamed body, of silence.
  std::chrono::milliseconds timeout = std::chrono::seconds{60};
};

namespace detail {

struct ClientParts;

/// Whether what a caller's own HTTP client gave is a 401: a status itself, or something with a `status`.
template <class Result>
bool is_unauthorized(const Result& result) {
  if constexpr (requires { result == 401; }) {
    return result == 401;
  } else if constexpr (requires { result.status() == 401; }) {
    return result.status() == 401;
  } else {
    return result.status == 401;
  }
}

}  // namespace detail

/// The way to the daemon. Cheap to copy (copies share their connections), usable from many threads and on
/// both sides of a fork; starts no thread, raises no signal, connects at the first call. A daemon that
/// restarts is reconnected to: what it cannot have processed, and whatever may be done twice, is asked again,
/// and a daemon that was there before is waited for, for 2 s (half of `timeout` at most). Every failure is an
/// `Error`.
class GRANTD_EXPORT Client {
 public:
  Client() : Client(ClientOptions{}) {}
  /// Error: "invalid_request" for a path that is no socket address, or a timeout that is not above zero.
  explicit Client(const ClientOptions& options);

  /// The token of a definition, out of the daemon's cache wherever possible. One that this process had before
  /// and that is still good comes out of memory shared with the daemon: no system call, no lock, no word that
  /// another thread writes. After a renewal, or when the daemon has taken it back, the next call asks again.
  /// Up to 12,000 tokens are at hand in a process at once.
  Token get_access_token(std::string_view name) const;
  /// The stop token is not copied: its copies count themselves in a word that all of them share.
  Token get_access_token(std::string_view name, const TokenRequest& request,
                         const std::stop_token& stop = {}) const;

  /// Calls `send` with a token and gives back what it returned. If that is a 401 (a status, or anything with
  /// a `status`), the token is renewed and `send` called once more with the new one, if there is a new one.
  template <class Send>
  auto with_token(std::string_view name, Send&& send, const TokenRequest& request = {},
                  const std::stop_token& stop = {}) const {
    const Token token = get_access_token(name, request, stop);
    auto result = send(token);
    if (!detail::is_unauthorized(result)) return result;
    TokenRequest renewal = request;
    renewal.force_renewal = false;
    renewal.rejected = std::string{token.version()};
    const Token renewed = get_access_token(name, renewal, stop);
    if (renewed.version() == token.version()) return result;
    return send(renewed);
  }

  /// An HTTP client for one API definition. Asks nothing yet.
  HttpClient http(std::string_view api) const;

  /// A DPoP proof (RFC 9449) for a request that the caller sends itself with `token`. `nonce`: the API's,
  /// where it demanded one.
  std::string dpop_proof(std::string_view name, std::string_view method, std::string_view url,
                         const Token& token, std::string_view nonce = {}, std::stop_token stop = {}) const;

  /// Drops the definition's cached tokens: all of them, or the one that `which` names by scope, resource and
  /// audience.
  void evict(std::string_view name, const TokenRequest& which = {}, std::stop_token stop = {}) const;

 private:
  friend struct detail::ClientParts;
  std::shared_ptr<detail::Connector> connector_;
};

}  // namespace grantd
