#pragma once

#include <optional>

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

/// The operations of SharedStore as commands: GETRANGE and PTTL, SET, EVAL and DEL, each with one key, so
/// that a proxy in front of a cluster can pass them on. Blocking.
RedisOutcome<StoredEntries> redis_look_up(RedisConnection& redis, const std::vector<std::string>& names);
RedisOutcome<Leased> redis_lease(RedisConnection& redis, const LeaseOrder& order,
                                 const std::vector<std::string>& names);
RedisOutcome<bool> redis_extend(RedisConnection& redis, const LeaseOrder& order);
RedisOutcome<bool> redis_release(RedisConnection& redis, const LeaseOrder& order);
RedisOutcome<InTheWay> redis_put(RedisConnection& redis, const PutOrder& order);
RedisOutcome<bool> redis_erase(RedisConnection& redis, const std::vector<std::string>& names);

}  // namespace grantd::daemon
