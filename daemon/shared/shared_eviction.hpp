#pragma once

#include <chrono>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "daemon/cache/token_fetcher.hpp"
#include "daemon/shared/shared_cache.hpp"

namespace grantd::daemon {

/// Tokens that were dropped or rejected being taken out of the store, also where that has to wait until the
/// store is there again, and what others, or it itself, write late. A later one takes over what an earlier
/// one has not been able to do under the same names. Owned by SharedMemory until its end. Loop thread only.
class SharedEviction final : public std::enable_shared_from_this<SharedEviction> {
 public:
  static constexpr std::size_t most_claimed = 64;
  struct Target {
    std::string name{};
    std::size_t key = 0;  // of `keys`, that its entry is sealed with
    /// What was asked for before goes; of the rest only what must not come back.
    common::BootTime dropped = common::BootTime::min();
    /// Versions that callers say were refused, whether or not more is known of them; at most `most_claimed`.
    std::set<std::string> refused{};
  };
  /// `names`: one for each key.
  static std::vector<Target> targets(const std::vector<std::string>& names, const Target& alike);

  SharedEviction(std::shared_ptr<SharedCache> cache, std::vector<Target> targets,
                 std::shared_ptr<const SealingKeys> keys);

  /// Call one of them, once. With `done`, whatever stands under the names is deleted first; it is called
  /// after that attempt, however it ended.
  void begin(TokenFetcher::Dropped done);
  void begin();
  /// The server itself gave this token once more.
  void forgive(const std::string& version);

 private:
  /// What an earlier one has to do under its names is this one's from now on.
  void take_over();
  void look();
  /// Of what was looked up: `asked` is what the targets were then.
  void judge(const std::vector<Target>& asked, const StoredEntries& entries);
  bool must_go(const Target& target, const StoredEntry& stored) const;
  void pause();
  void end();
  std::vector<std::string> names() const;

  const std::shared_ptr<SharedCache> cache_;
  std::vector<Target> targets_;
  const std::shared_ptr<const SealingKeys> keys_;
  const common::BootTime given_up_;
  int looks_ = 0;  // without anything to delete, one after the other
  std::chrono::seconds pause_{0};
  common::Timer timer_;
};

}  // namespace grantd::daemon
