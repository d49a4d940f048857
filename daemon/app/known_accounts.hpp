#pragma once

#include <memory>

#include "config/accounts.hpp"
#include "daemon/authz/access_policy.hpp"
#include "daemon/loop/loop.hpp"
#include "daemon/loop/workers.hpp"

namespace grantd::daemon {

/// Users and groups by name, as far as they are known. Who wants an unknown one is told so at once, while a
/// thread asks the system, at most once in ten seconds: a name service may take its time, and the loop has
/// none. Loop thread only.
class KnownAccounts {
 public:
  /// `system` is what blocks, called on a thread of its own; `loop` outlives this.
  KnownAccounts(Loop& loop, AccountLookup system);
  ~KnownAccounts();
  KnownAccounts(const KnownAccounts&) = delete;
  KnownAccounts& operator=(const KnownAccounts&) = delete;

  /// What somebody has found out already.
  void learn(const config::Accounts& accounts);
  /// Never blocks. Must not be used after this is gone.
  AccountLookup lookup();
  /// Whether no thread is left behind in a lookup.
  bool idle() const { return worker_.idle(); }

 private:
  struct State;

  void ask();

  Loop& loop_;
  const AccountLookup system_;
  std::shared_ptr<State> state_;  // owned here alone; an answer looks whether it is still there
  Workers worker_{1, 0};
};

}  // namespace grantd::daemon
