#pragma once

#include <memory>
#include <string>
#include <vector>

#include "daemon/oauth/token.hpp"

namespace grantd::daemon {

/// Something that is kept for the next process; forgotten, and wiped, when this is destroyed.
class Kept {
 public:
  virtual ~Kept() = default;
};

/// What a variant knows of its token besides the token.
struct TokenUse {
  bool used = false;              // handed out since it was obtained
  bool from_rejection = false;    // fetched in place of a rejected one
  bool same_token_again = false;  // the server gave it more than once
  bool operator==(const TokenUse&) const = default;
};

class KeptToken : public Kept {
 public:
  virtual void set_use(TokenUse use) = 0;
};

struct RestoredToken {
  Variant variant;
  TokenPtr token;
  TokenUse use;
  std::unique_ptr<KeptToken> kept;
};

/// What proofs need for a token that may have been replaced since.
struct RestoredBinding {
  std::string version;
  std::shared_ptr<const TokenBinding> binding;
  common::BootTime expires;
  std::unique_ptr<Kept> kept;
};

/// Where one definition's tokens outlive the process: given to the cache by the application. What it returns
/// may be null where nothing can be kept. Loop thread only.
class TokenKeeper {
 public:
  virtual ~TokenKeeper() = default;
  virtual std::unique_ptr<KeptToken> keep(const Variant& variant, const Token& token, TokenUse use) = 0;
  virtual std::unique_ptr<Kept> keep_binding(const std::string& version, const TokenBinding& binding,
                                             common::BootTime expires) = 0;
  /// What an earlier process kept for the same definition; each only once.
  virtual std::vector<RestoredToken> take_tokens() = 0;
  virtual std::vector<RestoredBinding> take_bindings() = 0;
};

}  // namespace grantd::daemon
