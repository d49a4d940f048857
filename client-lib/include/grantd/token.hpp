#pragma once

#include <chrono>
#include <cstddef>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "grantd/export.h"

namespace grantd {

namespace detail {
struct TokenBlock;
}

/// What a caller may ask of a token beyond its definition; what is left out is the definition's. The daemon
/// refuses with "access_denied" what `allow_overrides` does not admit.
struct TokenRequest {
  /// Asks the authorization server even where a valid token is cached.
  bool force_renewal = false;
  /// Space-separated.
  std::string scope{};
  /// Resource indicators (RFC 8707).
  std::vector<std::string> resource{};
  std::string audience{};
  /// Further form parameters of the token request.
  std::map<std::string, std::string> parameters{};
  /// A client assertion (RFC 7521 section 4.2) that the daemon sends in place of the definition's
  /// credentials. The token is then this caller's alone and not cached.
  std::string assertion{};
  /// Least validity the token must have left; unset: the daemon's default.
  std::optional<std::chrono::seconds> min_valid{};
  /// `Token::version()` of a token that an API refused: it is renewed unless somebody else has done so
  /// already.
  std::string rejected{};
};

/// An access token. All its strings live in one block, which copies cheaply and is wiped when it is dropped;
/// the views are valid while this object is neither changed nor dropped. There is no way to print one by
/// accident. A default-constructed one is empty.
class GRANTD_EXPORT Token {
 public:
  /// What a token consists of, for making one by hand, in a test say.
  struct Parts {
    std::string_view value{};
    std::string_view type = "Bearer";
    std::string_view scope{};
    std::string_view version{};
    std::chrono::system_clock::time_point expires_at{};
  };

  Token() noexcept = default;
  explicit Token(const Parts& parts);
  Token(const Token& other);
  Token& operator=(const Token& other);
  Token(Token&& other) noexcept;
  Token& operator=(Token&& other) noexcept;
  ~Token();

  /// The access token itself. It is a secret.
  std::string_view value() const noexcept { return view(sizes_.type + 1, sizes_.value); }
  /// "Bearer" or "DPoP".
  std::string_view type() const noexcept { return view(0, sizes_.type); }
  /// As granted, space-separated.
  std::string_view scope() const noexcept { return view(sizes_.type + 1 + sizes_.value, sizes_.scope); }
  /// Opaque: the same for the same token, different for another.
  std::string_view version() const noexcept {
    return view(sizes_.type + 1 + sizes_.value + sizes_.scope, sizes_.version);
  }
  std::chrono::system_clock::time_point expires_at() const noexcept { return expires_at_; }
  /// Value of the `Authorization` header: type, space, value. It is a secret.
  std::string_view authorization() const noexcept { return view(0, sizes_.type + 1 + sizes_.value); }

 private:
  friend struct detail::TokenBlock;
  struct Sizes {
    std::size_t type = 0;
    std::size_t value = 0;
    std::size_t scope = 0;
    std::size_t version = 0;
  };

  std::size_t size() const noexcept { return sizes_.type + 1 + sizes_.value + sizes_.scope + sizes_.version; }
  std::string_view view(std::size_t offset, std::size_t length) const noexcept {
    return block_ ? std::string_view{block_.get() + offset, length} : std::string_view{};
  }
  [[gnu::visibility("hidden")]] void wipe() noexcept;

  std::unique_ptr<char[]> block_;  // type, a space, value, scope, version
  Sizes sizes_;
  std::chrono::system_clock::time_point expires_at_{};
};

}  // namespace grantd
