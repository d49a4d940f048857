#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "common/clock.hpp"
#include "common/secret.hpp"
#include "daemon/oauth/token.hpp"

namespace grantd::daemon {

/// What a fetched token has to be better than: for whoever can give one without a request to the server.
struct FetchWish {
  /// The version of the valid token at hand, empty: there is none.
  std::string replaces{};
  /// When that one was obtained, and when it expires.
  common::BootTime obtained{};
  common::BootTime expires{};
  /// An API refused it.
  bool rejected = false;
  /// Versions of others that APIs refused.
  std::set<std::string> refused{};
  /// Nothing but the server's own answer will do.
  bool forced = false;
  /// The least that should be left of its life; zero: what is usual.
  std::chrono::seconds min_valid{0};
};

/// A token that was dropped on demand; without a version: of the variant none was there.
struct DroppedToken {
  Variant variant{};
  std::string version{};
  common::BootTime expires{};
};

/// How the cache gets tokens. Given to it by the application, which ties it to the endpoint client. Loop
/// thread only.
class TokenFetcher {
 public:
  virtual ~TokenFetcher() = default;
  using Done = std::move_only_function<void(FetchResult)>;
  /// `done` is called once, never from within the call. The wish may grow while the fetch is under way: more
  /// callers wait for it then. Never null.
  virtual void fetch(const Variant& variant, std::shared_ptr<const FetchWish> wish, Done done) = 0;
  virtual void fetch_with_assertion(const Variant& variant, common::Secret assertion, Done done) = 0;
  /// Whether the credentials are others than those of the last request.
  virtual bool credentials_changed() const = 0;

  using Dropped = std::move_only_function<void()>;
  /// Drops the tokens of these variants wherever they would be found without a request, and never gives these
  /// very tokens again unless the server does. `done` is called once, also from within.
  virtual void drop(std::vector<DroppedToken> tokens, Dropped done) {
    static_cast<void>(tokens);
    done();
  }
};

}  // namespace grantd::daemon
