#pragma once

#include <cstdint>
#include <expected>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>

#include "common/secret.hpp"

struct redisReader;

namespace grantd::daemon {

/// One reply of the kinds that the commands used here have. Aggregates are none of them.
struct RedisReply {
  enum class Kind { nil, status, text, number, error } kind = Kind::nil;
  std::string text{};  // of an error: its code, the first word, alone
  std::int64_t number = 0;

  bool is(Kind other) const { return kind == other; }
  bool is_status(std::string_view expected) const { return kind == Kind::status && text == expected; }
};

/// Reads replies out of a stream of bytes that may hold anything. Never holds more than `largest_reply` and
/// one feeding.
class RedisReader {
 public:
  static constexpr std::size_t largest_reply = std::size_t{96} << 10;
  RedisReader();

  /// False: it is no protocol of Redis, or a reply is too large.
  bool feed(std::span<const char> bytes);
  /// A reply, nothing while it is not complete. Error as for `feed`.
  std::expected<std::optional<RedisReply>, std::monostate> next();
  /// Whether nothing was fed that was not taken.
  bool empty() const { return pending_ == 0; }

 private:
  struct Free {
    void operator()(redisReader* reader) const;
  };
  std::unique_ptr<redisReader, Free> reader_;
  std::size_t pending_ = 0;  // bytes fed since the last reply
};

/// A command as it goes over the wire.
common::Secret redis_command(std::span<const std::string_view> words);

}  // namespace grantd::daemon
