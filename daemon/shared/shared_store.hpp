#pragma once

#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/clock.hpp"

namespace grantd::daemon {

/// What stands under a name.
struct StoredEntry {
  std::string bytes{};
  /// Until the store drops it; none: it says nothing about that.
  std::optional<std::chrono::milliseconds> left{};
  /// The store does not say what stands there, if anything does.
  bool withheld = false;
};

/// By the names that were asked for.
using StoredEntries = std::vector<std::optional<StoredEntry>>;

/// For how long nobody else should make what is missing.
struct LeaseOrder {
  std::string name{};
  std::string holder{};  // random, and not with a mark at its beginning but for `over_mark`
  std::chrono::milliseconds duration{0};
  /// It may take the place of a mark; `holder` then begins with one.
  bool over_mark = false;
};

struct Leased {
  bool got = false;
  /// Somebody has it for longer than was ordered, or for ever: nobody who keeps to the rules.
  bool usurped = false;
  /// Who has it, where the store says so; or a mark.
  std::string holder{};
  /// As they were once the lease was decided about.
  StoredEntries entries{};
};

struct PutOrder {
  std::string name{};
  std::string bytes{};
  /// What may be overwritten; empty: nothing.
  std::string expected{};
  std::chrono::milliseconds life{0};
};

/// What stands in the way instead; nothing: it was written.
using InTheWay = std::optional<std::string>;

/// Where machines put what they share. Every operation ends within a bound; each `done` is called once, also
/// from within, with nothing where the store could not do it: then it goes without. The store holds what is
/// to be called until it was called, or the store ends: so that must not hold the store, or both would stay
/// for ever. It may let go of the last that does. Loop thread only.
class SharedStore {
 public:
  virtual ~SharedStore() = default;
  template <class T>
  using Done = std::move_only_function<void(std::optional<T>)>;

  /// Whether it makes sense to ask.
  virtual bool available() const = 0;
  virtual void look_up(std::vector<std::string> names, Done<StoredEntries> done) = 0;
  /// Tries to get a lease that nobody has, then looks `names` up. The bound is counted from `since`: of what
  /// was asked before it, in one wait. `got_late` is called where `done` was told nothing, and the lease was
  /// got after all: it is then to be kept or released. A store that has ended by then calls nobody, and the
  /// lease runs out by itself.
  virtual void lease(LeaseOrder order, std::vector<std::string> names, common::BootTime since,
                     Done<Leased> done, std::move_only_function<void()> got_late) = 0;
  /// Prolongs a lease that is still its holder's.
  virtual void extend(LeaseOrder order) = 0;
  /// Ends one that is still its holder's. `in_vain`: without an entry; those who wait are told so by a mark
  /// that stays for `mark_duration`, or they could not tell it from a holder that died.
  virtual void release(LeaseOrder order, bool in_vain) = 0;
  static constexpr std::chrono::milliseconds mark_duration{300};
  static constexpr std::string_view mark = "-";
  virtual void put(PutOrder order, Done<InTheWay> done) = 0;
  /// Takes away what stands under the name, if that is `bytes`. Nobody waits for it.
  virtual void erase_if(std::string name, std::string bytes) = 0;
  /// `done` in any case.
  virtual void erase(std::vector<std::string> names, std::move_only_function<void()> done) = 0;
};

}  // namespace grantd::daemon
