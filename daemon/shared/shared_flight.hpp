#pragma once

#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "daemon/cache/token_fetcher.hpp"
#include "daemon/shared/shared_cache.hpp"
#include "daemon/shared/shared_entry.hpp"
#include "daemon/shared/sharing_identity.hpp"

namespace grantd::daemon {

/// One token being obtained where others may have it: looked up, waited for, or fetched and written. Owned by
/// SharedMemory until its end. Loop thread only.
class SharedFlight final : public std::enable_shared_from_this<SharedFlight> {
 public:
  struct Order {
    std::string client;
    Variant variant;
    std::shared_ptr<const FetchWish> wish;
    SharingIdentity identity;
    /// Says who the definition is by the time that the server is asked, and has answered.
    std::shared_ptr<const SharingIdentitySource> who;
    std::shared_ptr<const SealingKeys> keys;
    /// Asked where nobody else has what is wanted.
    std::shared_ptr<TokenFetcher> server;
    /// How long somebody else's request is waited for at most.
    std::chrono::milliseconds patience;
    TokenFetcher::Done done;
  };
  SharedFlight(std::shared_ptr<SharedCache> cache, Order order);

  /// Call once.
  void begin();
  bool is_for(std::string_view client, const Variant& variant) const {
    return order_.client == client && order_.variant == variant;
  }
  /// Somebody dropped the variant's token: what has been asked for by now is not to be written.
  void keep_to_itself() { private_ = private_ || state_ == State::asking || state_ == State::writing; }
  /// Ends a wait for the store or for another machine: the server is asked.
  void stop_waiting();

 private:
  /// An entry as this machine would use it.
  struct Candidate {
    SharedEntry entry;
    std::string version;
    TokenGrant::Term term;
  };

  void look_up();
  /// `since`: when whoever waits began to wait for the store.
  void try_lease(common::BootTime since);
  void judge_lease(Leased leased, common::BootTime since);
  /// One that came when it was no longer waited for. False: it is of no use.
  bool adopt_lease();
  /// Whether the one that was waited for has brought nothing.
  bool was_in_vain(const std::string& holder) const;
  void pause();
  void ask_server();
  void land(FetchResult result);
  void keep_lease();
  void end_lease(bool in_vain = false);
  /// Whether the server is asked as the one whose entry this is: credentials may have been rotated since.
  bool is_still_itself() const;
  void write(const TokenGrant& grant);
  bool may_be_shared(const TokenGrant& grant) const;
  void put(std::string expected);
  void judge_what_is_in_the_way(std::string bytes);
  /// Others are to wait for it no longer. `in_vain`: it has brought nothing that they could take.
  void leave(bool in_vain = false);
  /// Has what must not come back deleted as soon as that can be done: it was not replaced.
  void drop_refused();

  /// Whether one of the entries does, which is then given to whoever waits.
  bool take(const StoredEntries& entries);
  /// By a caller of this flight.
  bool was_rejected(const std::string& version) const;
  std::optional<Candidate> candidate(std::size_t key, const StoredEntry& stored);
  void report(std::size_t key, std::string_view reason);
  /// Whether it must not come back, being rejected or dropped.
  bool is_refused(const Candidate& candidate) const;
  bool is_wanted(const Candidate& candidate) const;
  TokenGrant grant_of(Candidate candidate) const;
  void answer(FetchResult result);
  LeaseOrder lease() const;
  common::BootTime now() const { return cache_->parts().timers.now(); }

  const std::shared_ptr<SharedCache> cache_;
  Order order_;
  const std::vector<std::string> names_;  // one for each key
  const std::string lease_name_;
  const common::BootTime wait_until_;
  std::string holder_{};
  bool over_mark_ = false;
  std::string awaited_{};  // the holder that is waited for; empty: none was met
  common::Timer timer_;

  enum class State { looking, pausing, asking, writing } state_ = State::looking;
  bool leased_ = false;
  bool private_ = false;
  bool looked_up_ = false;
  std::chrono::milliseconds pause_;
  common::BootTime asked_{};
  std::string found_{};          // the bytes under the first name
  std::string found_version_{};  // of that entry, where it is one
  // Names under other keys, and what stands there, of what must not come back.
  std::vector<std::pair<std::string, std::string>> outdated_{};
  std::set<std::pair<std::size_t, std::string_view>> reported_{};  // by key
  std::string sealed_{};                                           // what is being written
  std::string granted_version_{};                                  // by the server
  TokenGrant::Term sealed_term_{};
  int writes_ = 0;
};

}  // namespace grantd::daemon
