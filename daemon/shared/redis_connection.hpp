#pragma once

#include <deque>
#include <expected>
#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>

#include "common/clock.hpp"
#include "config/settings.hpp"
#include "daemon/crypto/tls_context.hpp"
#include "daemon/http/timed_socket.hpp"
#include "daemon/shared/redis_reply.hpp"

namespace grantd::daemon {

struct RedisFailure {
  enum class Kind {
    unreachable,  // no connection, or it ended
    timed_out,
    garbage,    // what came is not what Redis says
    refused,    // an error reply
    not_asked,  // nobody here had the time to
  };
  Kind kind = Kind::unreachable;
  /// Of an error reply: READONLY, say.
  std::string code{};
  /// A sentence for people. Never what the server sent.
  std::string detail{};
};
template <class T>
using RedisResult = std::expected<T, RedisFailure>;

/// A failure of this kind, in words.
RedisFailure refused_by_redis(std::string_view code);

/// Where a connection goes.
struct RedisAddress {
  config::RedisServer server;
  std::shared_ptr<TlsContext> tls{};  // made at the first connection
};

/// Commands that are sent in one go. None of their words is a secret.
class RedisCommands {
 public:
  void add(std::initializer_list<std::string_view> words);
  const std::string& bytes() const { return bytes_; }
  /// Each has one reply.
  std::size_t count() const { return count_; }

 private:
  std::string bytes_;
  std::size_t count_ = 0;
};

/// One connection, with the user authenticated and the database selected: both are asked for along with the
/// first commands, so that they cost no time of their own. Blocking, for a worker's thread; it may move from
/// one to another. Every operation ends by the deadline that was set last.
class RedisConnection {
 public:
  /// `password` empty: none is sent. `clock` outlives the connection.
  static RedisResult<std::unique_ptr<RedisConnection>> open(RedisAddress& address,
                                                            const common::Secret& password,
                                                            const common::Clock& clock,
                                                            common::BootTime deadline);

  void set_deadline(common::BootTime deadline) { socket_.set_deadline(deadline); }
  /// Whether something came, or the end, that nobody has asked for or read.
  bool is_stale() const;
  /// Closes it so that what has not reached the server by now never does, when a network that was interrupted
  /// is there again say.
  static void abort(std::unique_ptr<RedisConnection> connection);
  /// `bytes`: of commands, however many.
  RedisResult<void> send(std::string_view bytes);
  /// The reply to the oldest command that has none yet. An error reply is a reply; that user, password or
  /// database are not to the server's liking is a failure, in which it is unreachable.
  RedisResult<RedisReply> receive();

 private:
  RedisConnection(common::UniqueFd socket, const common::Clock& clock, common::BootTime deadline)
      : socket_(std::move(socket), clock, deadline) {}
  void prepare_greeting(const config::RedisServer& server, const common::Secret& password);
  RedisResult<RedisReply> next_reply();
  RedisFailure broken(std::string_view what) const;

  TimedSocket socket_;
  RedisReader reader_;
  common::Secret greeting_;                       // not sent yet
  std::deque<std::string_view> greeting_errors_;  // in words, of those not answered yet
};

}  // namespace grantd::daemon
