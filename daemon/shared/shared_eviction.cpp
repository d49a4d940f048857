// What the store could not delete it may give to other machines for as long as the token lives. What they
// wrote after the drop is theirs and stays.
#include "daemon/shared/shared_eviction.hpp"

#include <algorithm>
#include <utility>

#include "daemon/shared/shared_entry.hpp"

namespace grantd::daemon {

namespace {

constexpr std::chrono::seconds longest_wait{30};

}  // namespace

SharedEviction::SharedEviction(std::shared_ptr<SharedCache> cache, std::vector<Target> targets,
                               std::shared_ptr<const SealingKeys> keys)
    : cache_(std::move(cache)),
      targets_(std::move(targets)),
      keys_(std::move(keys)),
      dropped_(cache_->parts().timers.wall_now()),
      timer_(cache_->parts().timers, [this] {
        const auto keep = shared_from_this();
        look();
      }) {}

void SharedEviction::begin(TokenFetcher::Dropped done) {
  cache_->parts().memory.evictions.insert(shared_from_this());
  cache_->store().erase(names(), [weak = weak_from_this(), done = std::move(done)]() mutable {
    done();
    if (const auto self = weak.lock()) self->look();
  });
}

void SharedEviction::look() {
  if (!cache_->store().available()) return pause();
  cache_->store().look_up(names(), [weak = weak_from_this()](std::optional<StoredEntries> entries) {
    const auto self = weak.lock();
    if (!self) return;
    entries ? self->judge(*entries) : self->pause();
  });
}

void SharedEviction::judge(const StoredEntries& entries) {
  std::vector<std::string> old;
  for (std::size_t i = 0; i < entries.size() && i < targets_.size(); ++i) {
    if (!entries[i]) continue;
    const auto& [name, key] = targets_[i];
    const auto entry = open_entry(entries[i]->bytes, (*keys_)[key], name);
    if (entry && entry->issued < dropped_) old.push_back(name);
  }
  if (old.empty()) {
    cache_->parts().memory.evictions.erase(shared_from_this());
    return;
  }
  cache_->store().erase(std::move(old), [] {});
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
