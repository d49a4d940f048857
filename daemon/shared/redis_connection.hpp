#pragma once

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
    not_asked,  // nobody had the time to
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

/// One connection, with the user authenticated and the database selected. Blocking, for a worker's thread; it
/// may move from one to another. Every operation ends by the deadline that was set last.
class RedisConnection {
 public:
  using Words = std::initializer_list<std::string_view>;

  /// `password` empty: none is sent. `clock` outlives the connection.
  static RedisResult<std::unique_ptr<RedisConnection>> open(RedisAddress& address,
                                                            const common::Secret& password,
                                                            const common::Clock& clock,
                                                            common::BootTime deadline);

  void set_deadline(common::BootTime deadline) { socket_.set_deadline(deadline); }
  /// Whether something came, or the end, although nothing was asked.
  bool is_stale() const;
  RedisResult<void> send(Words words);
  /// The reply to the oldest command that has none yet. An error reply is a reply.
  RedisResult<RedisReply> receive();
  /// Both. An error reply is a failure.
  RedisResult<RedisReply> command(Words words);

 private:
  RedisConnection(common::UniqueFd socket, const common::Clock& clock, common::BootTime deadline)
      : socket_(std::move(socket), clock, deadline) {}
  RedisResult<void> greet(const config::RedisServer& server, const common::Secret& password);
  RedisFailure broken(std::string_view what) const;

  TimedSocket socket_;
  RedisReader reader_;
};

}  // namespace grantd::daemon
