// What the store could not delete it may give to other machines for as long as the token lives. What they
// asked for after the drop is theirs and stays.
#include "daemon/shared/shared_eviction.hpp"

#include <algorithm>
#include <map>
#include <string_view>
#include <utility>

#include "daemon/oauth/token_response.hpp"
#include "daemon/shared/shared_entry.hpp"

namespace grantd::daemon {

namespace {

constexpr std::chrono::seconds first_wait{1};
constexpr std::chrono::seconds longest_wait{30};
// No machine uses what was dropped for longer, see DroppedVariants.
constexpr std::chrono::hours longest_trial{24};
// At once and then after 1, 2 and 4 s. Another machine may have asked before the drop and not have written
// yet; and a server that was stopped may read what was sent to it before only after it has answered something
// newer.
constexpr int enough_looks = 4;
// Of the times that a store is told and tells.
constexpr std::chrono::milliseconds rounding{5};
// Of a write, and of an answer.
constexpr std::chrono::seconds longest_delay{2};

}  // namespace

std::vector<SharedEviction::Target> SharedEviction::targets(const std::vector<std::string>& names,
                                                            const Target& alike) {
  std::vector<Target> targets(names.size(), alike);
  for (std::size_t i = 0; i < names.size(); ++i) {
    targets[i].name = names[i];
    targets[i].key = i;
  }
  return targets;
}

SharedEviction::SharedEviction(std::shared_ptr<SharedCache> cache, std::vector<Target> targets,
                               std::shared_ptr<const SealingKeys> keys)
    : cache_(std::move(cache)),
      targets_(std::move(targets)),
      keys_(std::move(keys)),
      given_up_(cache_->parts().timers.now() + longest_trial),
      timer_(cache_->parts().timers, [this] {
        const auto keep = shared_from_this();
        look();
      }) {}

void SharedEviction::begin(TokenFetcher::Dropped done) {
  take_over();
  cache_->store().erase(names(), [weak = weak_from_this(), done = std::move(done)]() mutable {
    done();
    if (const auto self = weak.lock()) self->look();
  });
}

void SharedEviction::begin() {
  take_over();
  look();
}

void SharedEviction::take_over() {
  std::map<std::string_view, Target*> mine;
  for (Target& target : targets_) mine.emplace(target.name, &target);
  auto& evictions = cache_->parts().memory.evictions;
  for (const auto& earlier : evictions) {
    if (earlier->cache_ != cache_) continue;
    std::erase_if(earlier->targets_, [&mine](const Target& target) {
      const auto found = mine.find(target.name);
      if (found == mine.end()) return false;
      Target& taker = *found->second;
      taker.dropped = std::max(taker.dropped, target.dropped);
      for (const std::string& version : target.refused) {
        if (taker.refused.size() < most_claimed) taker.refused.insert(version);
      }
      return true;
    });
  }
  std::erase_if(evictions, [](const auto& earlier) { return earlier->targets_.empty(); });
  evictions.insert(shared_from_this());
}

void SharedEviction::look() {
  if (cache_->parts().timers.now() >= given_up_) return end();
  if (!cache_->store().available()) return timer_.arm_after(first_wait);
  const auto judged = [weak = weak_from_this(), asked = targets_](std::optional<StoredEntries> entries) {
    const auto self = weak.lock();
    if (!self) return;
    entries ? self->judge(asked, *entries) : self->pause();
  };
  cache_->store().look_up(names(), judged);
}

void SharedEviction::judge(const std::vector<Target>& asked, const StoredEntries& entries) {
  bool left = false;
  const std::vector<std::string> mine = names();
  const std::set<std::string_view> still(mine.begin(), mine.end());
  for (std::size_t i = 0; i < entries.size() && i < asked.size(); ++i) {
    if (!entries[i] || !still.contains(asked[i].name)) continue;
    left = left || entries[i]->withheld;
    if (entries[i]->withheld || !must_go(asked[i], *entries[i])) continue;
    cache_->store().erase_if(asked[i].name, entries[i]->bytes);
    left = true;
  }
  looks_ = left ? 0 : looks_ + 1;
  if (looks_ == 1) pause_ = first_wait;
  if (looks_ < enough_looks) return pause();
  end();
}

void SharedEviction::end() { cache_->parts().memory.evictions.erase(shared_from_this()); }

// An entry ends in the store when its token does, so that its lifetime and what is left of it tell its age
// without any other machine's clock: too low by as much as the write and this answer took. Where clocks agree
// but for such a delay, they tell it better.
bool SharedEviction::must_go(const Target& target, const StoredEntry& stored) const {
  const auto entry = open_entry(stored.bytes, (*keys_)[target.key], target.name);
  if (!entry) return false;
  const auto& timers = cache_->parts().timers;
  auto age = std::chrono::floor<std::chrono::milliseconds>(timers.wall_now() - entry->issued);
  if (const auto& left = stored.left) {
    const auto least = entry->lifetime - *left - rounding;
    if (age < least || age > least + longest_delay) age = least;
  }
  const std::string version = token_version(entry->access_token.reveal());
  return timers.now() - age < target.dropped || target.refused.contains(version) ||
         cache_->refused().has(version, timers.now());
}

void SharedEviction::forgive(const std::string& version) {
  for (Target& target : targets_) target.refused.erase(version);
}

void SharedEviction::pause() {
  pause_ = std::max(pause_, first_wait);
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
