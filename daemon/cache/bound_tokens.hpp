#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "common/clock.hpp"
#include "daemon/cache/token_keeper.hpp"
#include "daemon/oauth/token.hpp"

namespace grantd::daemon {

/// What proofs need for every token that was given away and has not expired, whether it is still the cached
/// one or not. Loop thread only.
class BoundTokens {
 public:
  /// A null binding is not remembered. `keeper` may be null.
  void add(const std::string& version, std::shared_ptr<const TokenBinding> binding, common::BootTime expires,
           common::BootTime now, TokenKeeper* keeper = nullptr);
  void restore(RestoredBinding restored);
  /// Null where no bound token that is still valid has this version.
  std::shared_ptr<const TokenBinding> find(std::string_view version, common::BootTime now) const;

 private:
  struct Entry {
    std::shared_ptr<const TokenBinding> binding;
    common::BootTime expires;
    std::unique_ptr<Kept> kept;
  };
  std::map<std::string, Entry, std::less<>> entries_;
};

}  // namespace grantd::daemon
