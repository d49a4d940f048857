// GETRANGE rather than GET, so that no more than an entry's size is ever sent, whatever somebody put there.
#include "daemon/shared/redis_operations.hpp"

#include "daemon/shared/shared_entry.hpp"

namespace grantd::daemon {

namespace {

using ReplyKind = RedisReply::Kind;

// What is no text, too large or as expected is overwritten; anything else stays and is the answer, as is what
// keeps it from being seen.
constexpr std::string_view put_script =
    "local size = redis.pcall('STRLEN', KEYS[1]) "
    "if type(size) == 'table' and size.err and not string.find(size.err, 'WRONGTYPE', 1, true) then "
    "return size end "
    "if type(size) == 'number' and size > 0 and size <= tonumber(ARGV[4]) then "
    "local there = redis.call('GET', KEYS[1]) "
    "if there ~= ARGV[2] then return there end "
    "end "
    "redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[3]) "
    "return 1";
constexpr std::string_view extend_script =
    "if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('PEXPIRE', KEYS[1], ARGV[2]) end "
    "return 0";
// As SET with NX, but for a mark.
constexpr std::string_view lease_over_mark_script =
    "if redis.pcall('GET', KEYS[1]) == ARGV[3] then "
    "return redis.pcall('SET', KEYS[1], ARGV[1], 'PX', ARGV[2]) end "
    "return redis.pcall('SET', KEYS[1], ARGV[1], 'NX', 'PX', ARGV[2])";
// What is full takes no mark, but deletes.
constexpr std::string_view mark_script =
    "if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end "
    "local set = redis.pcall('SET', KEYS[1], ARGV[3], 'PX', ARGV[2]) "
    "if set.err then redis.call('DEL', KEYS[1]) end "
    "return 1";
constexpr std::string_view erase_script =
    "if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end return 0";

RedisFailure unexpected_reply() {
  return {.kind = RedisFailure::Kind::garbage,
          .detail = "Redis answered with what is no answer to the command"};
}

// PTTL of what stays for ever.
constexpr std::int64_t no_end = -1;
// One byte more than an entry may have shows that it has too many.
const std::string last_byte = std::to_string(largest_entry);

RedisOperation<bool> change_lease(std::string_view script, const LeaseOrder& order) {
  RedisOperation<bool> operation;
  operation.commands.add({"EVAL", script, "1", order.name, order.holder,
                          std::to_string(order.duration.count()), SharedStore::mark});
  operation.read = [](std::span<RedisReply> replies) -> RedisOutcome<bool> {
    const RedisReply& reply = replies.front();
    if (reply.is(ReplyKind::error)) return {.failure = refused_by_redis(reply.text)};
    if (!reply.is(ReplyKind::number)) return {.failure = unexpected_reply()};
    return {.value = reply.number == 1};
  };
  return operation;
}

void add_look_ups(RedisCommands& commands, const std::vector<std::string>& names) {
  for (const std::string& name : names) {
    commands.add({"GETRANGE", name, "0", last_byte});
    commands.add({"PTTL", name});
  }
}

RedisOutcome<StoredEntries> read_look_ups(std::span<RedisReply> replies) {
  RedisOutcome<StoredEntries> outcome;
  StoredEntries entries;
  for (std::size_t i = 0; i < replies.size(); i += 2) {
    RedisReply& text = replies[i];
    const RedisReply& left = replies[i + 1];
    auto& entry = entries.emplace_back();
    if (text.is(ReplyKind::error)) {
      outcome.failure = refused_by_redis(text.text);
      // What is of another type is nothing that a machine wrote.
      if (outcome.failure->code != "WRONGTYPE") entry = StoredEntry{.withheld = true};
    } else if (!text.is(ReplyKind::text) || !(left.is(ReplyKind::number) || left.is(ReplyKind::error))) {
      return {.failure = unexpected_reply()};
    } else if (!text.text.empty() && !(left.is(ReplyKind::number) && left.number == -2)) {
      entry = StoredEntry{.bytes = std::move(text.text)};
      if (left.is(ReplyKind::number) && left.number >= 0)
        entry->left = std::chrono::milliseconds{left.number};
    }
  }
  outcome.value = std::move(entries);
  return outcome;
}

// The holder is asked for because an earlier try, whose answer was lost, may have got the lease, and to tell
// one that failed from one that died.
RedisOutcome<Leased> read_lease(const LeaseOrder& order, std::span<RedisReply> replies) {
  const RedisReply& set = replies[0];
  const RedisReply& holder = replies[1];
  const RedisReply& left = replies[2];
  if (set.is(ReplyKind::error)) return {.failure = refused_by_redis(set.text)};
  if (!set.is_status("OK") && !set.is(ReplyKind::nil)) return {.failure = unexpected_reply()};
  const bool got = set.is_status("OK") || (holder.is(ReplyKind::text) && holder.text == order.holder);
  const bool usurped =
      !got && left.is(ReplyKind::number) && (left.number == no_end || left.number > order.duration.count());
  auto looked = read_look_ups(replies.subspan(3));
  if (!looked.value) return {.failure = std::move(looked.failure)};
  return {.value = Leased{.got = got,
                          .usurped = usurped,
                          .holder = holder.is(ReplyKind::text) ? holder.text : std::string{},
                          .entries = *std::move(looked.value)},
          .failure = std::move(looked.failure)};
}

}  // namespace

RedisOperation<StoredEntries> redis_look_up(const std::vector<std::string>& names) {
  RedisOperation<StoredEntries> operation{.read = read_look_ups};
  add_look_ups(operation.commands, names);
  return operation;
}

RedisOperation<Leased> redis_lease(const LeaseOrder& order, const std::vector<std::string>& names) {
  RedisOperation<Leased> operation{
      .read = [order](std::span<RedisReply> replies) { return read_lease(order, replies); }};
  const std::string duration = std::to_string(order.duration.count());
  if (order.over_mark) {
    operation.commands.add(
        {"EVAL", lease_over_mark_script, "1", order.name, order.holder, duration, SharedStore::mark});
  } else {
    operation.commands.add({"SET", order.name, order.holder, "NX", "PX", duration});
  }
  // One byte more than a holder over a mark has.
  operation.commands.add(
      {"GETRANGE", order.name, "0", std::to_string(order.holder.size() + SharedStore::mark.size())});
  operation.commands.add({"PTTL", order.name});
  add_look_ups(operation.commands, names);
  return operation;
}

RedisOperation<bool> redis_extend(const LeaseOrder& order) { return change_lease(extend_script, order); }

RedisOperation<bool> redis_release(const LeaseOrder& order, bool in_vain) {
  if (!in_vain) return change_lease(erase_script, order);
  LeaseOrder mark = order;
  mark.duration = SharedStore::mark_duration;
  return change_lease(mark_script, mark);
}

RedisOperation<bool> redis_erase_if(const std::string& name, const std::string& bytes) {
  return change_lease(erase_script, {.name = name, .holder = bytes});
}

RedisOperation<InTheWay> redis_put(const PutOrder& order) {
  RedisOperation<InTheWay> operation;
  operation.commands.add({"EVAL", put_script, "1", order.name, order.bytes, order.expected,
                          std::to_string(order.life.count()), last_byte});
  operation.read = [bytes = order.bytes](std::span<RedisReply> replies) -> RedisOutcome<InTheWay> {
    RedisReply& reply = replies.front();
    if (reply.is(ReplyKind::error)) return {.failure = refused_by_redis(reply.text)};
    if (reply.is(ReplyKind::number)) return {.value = InTheWay{}};
    if (!reply.is(ReplyKind::text)) return {.failure = unexpected_reply()};
    if (reply.text == bytes) return {.value = InTheWay{}};
    return {.value = InTheWay{std::move(reply.text)}};
  };
  return operation;
}

RedisOperation<bool> redis_erase(const std::vector<std::string>& names) {
  RedisOperation<bool> operation;
  for (const std::string& name : names) operation.commands.add({"DEL", name});
  operation.read = [](std::span<RedisReply> replies) {
    RedisOutcome<bool> outcome{.value = true};
    for (const RedisReply& reply : replies) {
      if (reply.is(ReplyKind::error)) outcome = {.value = false, .failure = refused_by_redis(reply.text)};
    }
    return outcome;
  };
  return operation;
}

}  // namespace grantd::daemon
