#pragma once

#include <functional>
#include <optional>
#include <span>

#include "daemon/shared/redis_connection.hpp"
#include "daemon/shared/shared_store.hpp"

namespace grantd::daemon {

/// What an operation brought, and what was wrong meanwhile: an error reply to one of several commands leaves
/// the answers to the others.
template <class T>
struct RedisOutcome {
  std::optional<T> value{};
  std::optional<RedisFailure> failure{};
};

/// Commands, and what their replies mean. Neither a reply nor the lack of one changes what is asked: so an
/// operation is one round trip, and several on one connection are one as well.
template <class T>
struct RedisOperation {
  RedisCommands commands{};
  /// Gets as many replies as there are commands, in order. For any thread.
  std::move_only_function<RedisOutcome<T>(std::span<RedisReply> replies)> read{};
};

/// The operations of SharedStore as commands: GETRANGE and PTTL, SET, EVAL and DEL, each with one key, so
/// that a proxy in front of a cluster can pass them on. Each may be sent once more where the first answer was
/// lost.
RedisOperation<StoredEntries> redis_look_up(const std::vector<std::string>& names);
RedisOperation<Leased> redis_lease(const LeaseOrder& order, const std::vector<std::string>& names);
RedisOperation<bool> redis_extend(const LeaseOrder& order);
RedisOperation<bool> redis_release(const LeaseOrder& order, bool in_vain);
RedisOperation<InTheWay> redis_put(const PutOrder& order);
RedisOperation<bool> redis_erase_if(const std::string& name, const std::string& bytes);
RedisOperation<bool> redis_erase(const std::vector<std::string>& names);

}  // namespace grantd::daemon
