#pragma once

#include <chrono>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/cache/token_fetcher.hpp"
#include "daemon/shared/shared_cache.hpp"

namespace grantd::daemon {

/// Dropped tokens being taken out of the store, also where that has to wait until the store is there again.
/// A later one takes over what an earlier one has not been able to do under the same names. Owned by
/// SharedMemory until its end. Loop thread only.
class SharedEviction final : public std::enable_shared_from_this<SharedEviction> {
 public:
  struct Target {
    std::string name;
    std::size_t key = 0;  // of `keys`, that its entry is sealed with
  };
  SharedEviction(std::shared_ptr<SharedCache> cache, std::vector<Target> targets,
                 std::shared_ptr<const SealingKeys> keys);

  /// Call once. `done` after the first attempt, however it ended.
  void begin(TokenFetcher::Dropped done);

 private:
  void look();
  /// Of what was looked up: `asked` is what the targets were then.
  void judge(const std::vector<Target>& asked, const StoredEntries& entries);
  void pause();
  /// What a later one sees to.
  void leave(const std::set<std::string_view>& names);
  std::vector<std::string> names() const;

  const std::shared_ptr<SharedCache> cache_;
  std::vector<Target> targets_;
  const std::shared_ptr<const SealingKeys> keys_;
  const common::WallTime dropped_;
  const common::BootTime given_up_;
  std::chrono::seconds pause_{1};
  common::Timer timer_;
};

}  // namespace grantd::daemon
