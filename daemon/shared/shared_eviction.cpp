// What the store could not delete it may give to other machines for as long as the token lives. What they
// wrote after the drop is theirs and stays.
#include "daemon/shared/shared_eviction.hpp"

#include <algorithm>
#include <utility>

#include "daemon/shared/shared_entry.hpp"

namespace grantd::daemon {

namespace {

constexpr std::chrono::seconds longest_wait{30};
// No machine uses what was dropped for longer, see DroppedVariants.
constexpr std::chrono::hours longest_trial{24};

}  // namespace

SharedEviction::SharedEviction(std::shared_ptr<SharedCache> cache, std::vector<Target> targets,
                               std::shared_ptr<const SealingKeys> keys)
    : cache_(std::move(cache)),
      targets_(std::move(targets)),
      keys_(std::move(keys)),
      dropped_(cache_->parts().timers.wall_now()),
      given_up_(cache_->parts().timers.now() + longest_trial),
      timer_(cache_->parts().timers, [this] {
        const auto keep = shared_from_this();
        look();
      }) {}

void SharedEviction::begin(TokenFetcher::Dropped done) {
  auto& evictions = cache_->parts().memory.evictions;
  const std::vector<std::string> mine = names();
  const std::set<std::string_view> taken_over(mine.begin(), mine.end());
  for (const auto& earlier : evictions) earlier->leave(taken_over);
  std::erase_if(evictions, [](const auto& earlier) { return earlier->targets_.empty(); });
  evictions.insert(shared_from_this());
  cache_->store().erase(names(), [weak = weak_from_this(), done = std::move(done)]() mutable {
    done();
    if (const auto self = weak.lock()) self->look();
  });
}

void SharedEviction::leave(const std::set<std::string_view>& names) {
  std::erase_if(targets_, [&names](const Target& target) { return names.contains(target.name); });
}

void SharedEviction::look() {
  if (!cache_->store().available()) return pause();
  const auto judged = [weak = weak_from_this(), asked = targets_](std::optional<StoredEntries> entries) {
    const auto self = weak.lock();
    if (!self) return;
    entries ? self->judge(asked, *entries) : self->pause();
  };
  cache_->store().look_up(names(), judged);
}

void SharedEviction::judge(const std::vector<Target>& asked, const StoredEntries& entries) {
  const bool done = cache_->parts().timers.now() >= given_up_;
  bool left = false;
  const std::vector<std::string> mine = names();
  const std::set<std::string_view> still(mine.begin(), mine.end());
  for (std::size_t i = 0; i < entries.size() && i < asked.size(); ++i) {
    if (!entries[i] || !still.contains(asked[i].name)) continue;
    const auto& [name, key] = asked[i];
    left = left || entries[i]->withheld;
    const auto entry = open_entry(entries[i]->bytes, (*keys_)[key], name);
    if (!entry || entry->issued >= dropped_) continue;
    cache_->store().erase_if(name, entries[i]->bytes);
    left = true;
  }
  if (done || !left) {
    cache_->parts().memory.evictions.erase(shared_from_this());
    return;
  }
  pause();
}

void SharedEviction::pause() {
  timer_.arm_after(pause_);
  pause_ = std::min(pause_ * 2, longest_wait);
}

std::vector<std::string> SharedEviction::names() const {
  std::vector<std::string> names;
  names.reserve(targets_.size());
  for (const Target& target : targets_) names.push_back(target.name);
  return names;
}

}  // namespace grantd::daemon
