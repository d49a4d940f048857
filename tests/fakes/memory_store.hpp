#pragma once

#include <algorithm>
#include <deque>
#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "common/timer_queue.hpp"
#include "daemon/shared/shared_store.hpp"

namespace grantd::tests {

/// What the machines of a test share: names, values and their ends, on the test's clock. Every operation
/// waits for `settle`, so that a test decides what comes in between.
struct SharedNames {
  struct Value {
    std::string bytes;
    common::BootTime expires;
  };
  explicit SharedNames(common::TimerQueue& t) : timers(t) {}

  std::map<std::string, Value>::iterator find(const std::string& name) {
    auto found = values.find(name);
    if (found == values.end() || timers.now() < found->second.expires) return found;
    values.erase(found);
    return values.end();
  }
  std::string bytes(const std::string& name) {
    const auto found = find(name);
    return found == values.end() ? std::string{} : found->second.bytes;
  }

  /// Entries, and leases that somebody holds.
  std::ptrdiff_t count() const {
    return std::ranges::count_if(values, [this](const auto& one) {
      return one.second.bytes != daemon::SharedStore::mark && timers.now() < one.second.expires;
    });
  }

  common::TimerQueue& timers;
  std::map<std::string, Value> values;
};

/// One machine's way to them.
class MemoryStore final : public daemon::SharedStore {
 public:
  explicit MemoryStore(SharedNames& names) : names_(names) {}

  bool available() const override { return up; }
  void look_up(std::vector<std::string> names, Done<daemon::StoredEntries> done) override {
    later("look_up", std::move(done), [this, names = std::move(names)] {
      auto found = entries(names);
      if (after_look_up) std::exchange(after_look_up, nullptr)();
      return found;
    });
  }
  void lease(daemon::LeaseOrder order, std::vector<std::string> names, common::BootTime /*since*/,
             Done<daemon::Leased> done, std::move_only_function<void()> got_late) override {
    if (up && leases_come_late) {
      done(std::nullopt);
      done = [got_late = std::move(got_late)](std::optional<daemon::Leased> leased) mutable {
        if (leased && leased->got) got_late();
      };
    }
    later("lease", std::move(done), [this, order = std::move(order), names = std::move(names)] {
      const auto there = names_.find(order.name);
      const bool got = there == names_.values.end() || (order.over_mark && there->second.bytes == mark);
      const bool usurped = !got && there->second.expires > names_.timers.now() + order.duration;
      if (got) set(order.name, order.holder, order.duration);
      return daemon::Leased{
          .got = got, .usurped = usurped, .holder = names_.bytes(order.name), .entries = entries(names)};
    });
  }
  void extend(daemon::LeaseOrder order) override {
    if (up && names_.bytes(order.name) == order.holder) set(order.name, order.holder, order.duration);
  }
  void release(daemon::LeaseOrder order, bool in_vain) override {
    if (!up || names_.bytes(order.name) != order.holder) return;
    names_.values.erase(order.name);
    if (in_vain) set(order.name, std::string{mark}, mark_duration);
  }
  void put(daemon::PutOrder order, Done<daemon::InTheWay> done) override {
    later("put", std::move(done), [this, order = std::move(order)]() -> daemon::InTheWay {
      const auto there = names_.bytes(order.name);
      if (!there.empty() && there != order.expected) return there;
      set(order.name, order.bytes, order.life);
      return std::nullopt;
    });
  }
  void erase_if(std::string name, std::string bytes) override {
    if (up && names_.bytes(name) == bytes) names_.values.erase(name);
  }
  void erase(std::vector<std::string> names, std::move_only_function<void()> done) override {
    if (up) {
      for (const std::string& name : names) names_.values.erase(name);
    }
    done();
  }

  /// Carries out the oldest operation; false: there is none.
  bool settle_one() {
    if (pending.empty()) return false;
    auto [_, carry_out] = std::move(pending.front());
    pending.pop_front();
    carry_out();
    return true;
  }
  void settle() {
    while (settle_one()) {
    }
  }

  bool up = true;
  bool refuses_writes = false;
  bool leases_come_late = false;  // whoever asks is told nothing at first
  bool withholds = false;         // answers look-ups with an error
  /// Once, before whoever looked is told what was found.
  std::function<void()> after_look_up{};
  std::deque<std::pair<std::string, std::move_only_function<void()>>> pending;

 private:
  template <class T, class Work>
  void later(std::string what, Done<T> done, Work work) {
    if (!up) return done(std::nullopt);
    pending.emplace_back(what, [this, what, done = std::move(done), work = std::move(work)]() mutable {
      if (!up || (refuses_writes && what != "look_up")) return done(std::nullopt);
      done(work());
    });
  }
  void set(const std::string& name, const std::string& bytes, std::chrono::milliseconds life) {
    names_.values[name] = {bytes, names_.timers.now() + life};
  }
  daemon::StoredEntries entries(const std::vector<std::string>& names) {
    daemon::StoredEntries found;
    for (const std::string& name : names) {
      auto& entry = found.emplace_back();
      if (withholds) {
        entry = daemon::StoredEntry{.withheld = true};
        continue;
      }
      const auto value = names_.find(name);
      if (value == names_.values.end()) continue;
      entry = daemon::StoredEntry{
          .bytes = value->second.bytes,
          .left = std::chrono::floor<std::chrono::milliseconds>(value->second.expires - names_.timers.now())};
    }
    return found;
  }

  SharedNames& names_;
};

}  // namespace grantd::tests
