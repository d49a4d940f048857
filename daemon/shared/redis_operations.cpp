// GETRANGE rather than GET, so that no more than an entry's size is ever sent, whatever somebody put there.
#include "daemon/shared/redis_operations.hpp"

#include "daemon/shared/shared_entry.hpp"

namespace grantd::daemon {

namespace {

using ReplyKind = RedisReply::Kind;

// What is no text, too large or as expected is overwritten; anything else stays and is the answer.
constexpr std::string_view put_script =
    "local size = redis.pcall('STRLEN', KEYS[1]) "
    "if type(size) == 'number' and size > 0 and size <= tonumber(ARGV[4]) then "
    "local there = redis.call('GET', KEYS[1]) "
    "if there ~= ARGV[2] then return there end "
    "end "
    "redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[3]) "
    "return 1";
constexpr std::string_view extend_script =
    "if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('PEXPIRE', KEYS[1], ARGV[2]) end "
    "return 0";
constexpr std::string_view release_script =
    "if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end return 0";

RedisFailure unexpected_reply() {
  return {.kind = RedisFailure::Kind::garbage,
          .detail = "Redis answered with what is no answer to the command"};
}

// PTTL of what stays for ever.
constexpr std::int64_t no_end = -1;
// One byte more than an entry may have shows that it has too many.
const std::string last_byte = std::to_string(largest_entry);

RedisOutcome<bool> change_lease(RedisConnection& redis, std::string_view script, const LeaseOrder& order) {
  const auto reply =
      redis.command({"EVAL", script, "1", order.name, order.holder, std::to_string(order.duration.count())});
  if (!reply) return {.failure = reply.error()};
  if (!reply->is(ReplyKind::number)) return {.failure = unexpected_reply()};
  return {.value = reply->number == 1};
}

}  // namespace

RedisOutcome<StoredEntries> redis_look_up(RedisConnection& redis, const std::vector<std::string>& names) {
  RedisOutcome<StoredEntries> outcome;
  for (const std::string& name : names) {
    for (const auto& sent : {redis.send({"GETRANGE", name, "0", last_byte}), redis.send({"PTTL", name})})
      if (!sent) return {.failure = sent.error()};
  }
  StoredEntries entries;
  for (std::size_t i = 0; i < names.size(); ++i) {
    auto text = redis.receive();
    if (!text) return {.failure = std::move(text.error())};
    const auto left = redis.receive();
    if (!left) return {.failure = left.error()};
    auto& entry = entries.emplace_back();
    if (text->is(ReplyKind::error)) {
      outcome.failure = refused_by_redis(text->text);
    } else if (!text->is(ReplyKind::text) || !(left->is(ReplyKind::number) || left->is(ReplyKind::error))) {
      return {.failure = unexpected_reply()};
    } else if (!text->text.empty() && !(left->is(ReplyKind::number) && left->number == -2)) {
      entry = StoredEntry{.bytes = std::move(text->text)};
      if (left->is(ReplyKind::number) && left->number >= 0)
        entry->left = std::chrono::milliseconds{left->number};
    }
  }
  outcome.value = std::move(entries);
  return outcome;
}

RedisOutcome<Leased> redis_lease(RedisConnection& redis, const LeaseOrder& order,
                                 const std::vector<std::string>& names) {
  const std::string duration = std::to_string(order.duration.count());
  for (const auto& sent : {redis.send({"SET", order.name, order.holder, "NX", "PX", duration}),
                           redis.send({"PTTL", order.name})})
    if (!sent) return {.failure = sent.error()};
  const auto reply = redis.receive();
  if (!reply) return {.failure = reply.error()};
  const auto left = redis.receive();
  if (!left) return {.failure = left.error()};
  if (reply->is(ReplyKind::error)) return {.failure = refused_by_redis(reply->text)};
  const bool got = reply->is_status("OK");
  if (!got && !reply->is(ReplyKind::nil)) return {.failure = unexpected_reply()};
  const bool usurped = !got && left->is(ReplyKind::number) &&
                       (left->number == no_end || left->number > order.duration.count());
  auto looked = redis_look_up(redis, names);
  if (!looked.value) return {.failure = std::move(looked.failure)};
  return {.value = Leased{.got = got, .usurped = usurped, .entries = *std::move(looked.value)},
          .failure = std::move(looked.failure)};
}

RedisOutcome<bool> redis_extend(RedisConnection& redis, const LeaseOrder& order) {
  return change_lease(redis, extend_script, order);
}

RedisOutcome<bool> redis_release(RedisConnection& redis, const LeaseOrder& order) {
  return change_lease(redis, release_script, order);
}

RedisOutcome<InTheWay> redis_put(RedisConnection& redis, const PutOrder& order) {
  auto reply = redis.command({"EVAL", put_script, "1", order.name, order.bytes, order.expected,
                              std::to_string(order.life.count()), last_byte});
  if (!reply) return {.failure = std::move(reply.error())};
  if (reply->is(ReplyKind::number)) return {.value = InTheWay{}};
  if (!reply->is(ReplyKind::text)) return {.failure = unexpected_reply()};
  if (reply->text == order.bytes) return {.value = InTheWay{}};
  return {.value = InTheWay{std::move(reply->text)}};
}

RedisOutcome<bool> redis_erase(RedisConnection& redis, const std::vector<std::string>& names) {
  for (const std::string& name : names) {
    if (auto sent = redis.send({"DEL", name}); !sent) return {.failure = std::move(sent.error())};
  }
  RedisOutcome<bool> outcome{.value = true};
  for (std::size_t i = 0; i < names.size(); ++i) {
    const auto reply = redis.receive();
    if (!reply) return {.failure = reply.error()};
    if (reply->is(ReplyKind::error)) outcome = {.value = false, .failure = refused_by_redis(reply->text)};
  }
  return outcome;
}

}  // namespace grantd::daemon
