// The socket is ours rather than hiredis's, so that one deadline bounds everything on it, also a server that
// sends a byte now and then, and that TLS is what it is towards everybody else: names are checked.
#include "daemon/shared/redis_connection.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <system_error>
#include <utility>
#include <vector>

#include "daemon/http/connector.hpp"

namespace grantd::daemon {

namespace {

using namespace std::chrono_literals;
using FailureKind = RedisFailure::Kind;

struct Advice {
  std::string_view code;
  std::string_view sentence;
};

constexpr Advice advice[] = {
    {"READONLY", "it is a replica that takes no writes; name the primary"},
    {"OOM", "its memory is full; raise maxmemory, or set an eviction policy such as volatile-ttl"},
    {"MISCONF", "it takes no writes because it cannot save to disk; look into its log"},
    {"NOREPLICAS", "it takes no writes because it has too few replicas"},
    {"NOPERM", "the user may not do this; docs/shared-cache.md has the ACL rule it needs"},
    {"NOAUTH", "it wants a password; set password_file or password_credential"},
    {"WRONGPASS", "user or password are wrong"},
    {"WRONGTYPE",
     "something else than grantd's stands under the name; give grantd a prefix or database of its own"},
    {"MOVED", "it is a node of a cluster, which needs a proxy in front of it"},
    {"ASK", "it is a node of a cluster, which needs a proxy in front of it"},
    {"CLUSTERDOWN", "its cluster is down"},
    {"LOADING", "it is loading its data"},
    {"BUSY", "a script holds it up"},
    {"MASTERDOWN", "it is a replica that has lost its primary"},
    {"DENIED", "it is in protected mode; give it a password"},
};

// A queue of connections that is full is waited for: only while the socket blocks does the kernel do that.
std::expected<common::UniqueFd, std::string> connect_to_path(const std::filesystem::path& path,
                                                             common::BootClock::duration patience) {
  common::UniqueFd socket{::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)};
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path.native().copy(address.sun_path, sizeof address.sun_path - 1);
  // Zero would be for ever.
  const auto left = std::max(std::chrono::duration_cast<std::chrono::microseconds>(patience), 1000us);
  const timeval wait{.tv_sec = left / 1s, .tv_usec = (left % 1s).count()};
  const bool connected =
      socket && ::setsockopt(socket.get(), SOL_SOCKET, SO_SNDTIMEO, &wait, sizeof wait) == 0 &&
      ::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0 &&
      ::fcntl(socket.get(), F_SETFL, O_RDWR | O_NONBLOCK) == 0;
  if (!connected) {
    return std::unexpected("no connection to " + path.string() + ": " +
                           std::generic_category().message(errno));
  }
  return socket;
}

std::unexpected<RedisFailure> unreachable(std::string detail) {
  return std::unexpected{RedisFailure{.kind = FailureKind::unreachable, .detail = std::move(detail)}};
}

}  // namespace

void RedisCommands::add(std::initializer_list<std::string_view> words) {
  bytes_ += redis_command(std::vector<std::string_view>{words}).reveal();
  ++count_;
}

RedisFailure refused_by_redis(std::string_view code) {
  RedisFailure failure{.kind = FailureKind::refused, .code = std::string{code}};
  failure.detail = "Redis answered " + failure.code;
  const auto found = std::ranges::find(advice, code, &Advice::code);
  if (found != std::ranges::end(advice)) failure.detail.append(": ").append(found->sentence);
  return failure;
}

RedisResult<std::unique_ptr<RedisConnection>> RedisConnection::open(RedisAddress& address,
                                                                    const common::Secret& password,
                                                                    const common::Clock& clock,
                                                                    common::BootTime deadline) {
  const config::RedisServer& server = address.server;
  auto socket = server.socket.empty()
                    ? connect_to(server.host, server.port, clock, deadline - clock.now(), deadline)
                    : connect_to_path(server.socket, deadline - clock.now());
  if (!socket) {
    const bool late = clock.now() >= deadline;
    return std::unexpected{RedisFailure{.kind = late ? FailureKind::timed_out : FailureKind::unreachable,
                                        .detail = std::move(socket.error())}};
  }
  std::unique_ptr<RedisConnection> connection{new RedisConnection{*std::move(socket), clock, deadline}};
  if (server.tls) {
    if (!address.tls) {
      auto made = TlsContext::for_client(server.host, {});
      if (!made) return unreachable(std::move(made.error()));
      address.tls = *std::move(made);
    }
    if (auto secured = connection->socket_.secure(*address.tls); !secured) {
      const auto kind = connection->socket_.timed_out() ? FailureKind::timed_out : FailureKind::unreachable;
      return std::unexpected{
          RedisFailure{.kind = kind, .detail = "TLS to Redis: " + std::move(secured.error())}};
    }
  }
  connection->prepare_greeting(server, password);
  return connection;
}

void RedisConnection::prepare_greeting(const config::RedisServer& server, const common::Secret& password) {
  const auto add = [this](const std::vector<std::string_view>& words, std::string_view error) {
    greeting_.append(redis_command(words).reveal());
    greeting_errors_.push_back(error);
  };
  if (!password.empty()) {
    std::vector<std::string_view> words{"AUTH", password.reveal()};
    if (!server.user.empty()) words.insert(words.begin() + 1, server.user);
    add(words, "Redis refuses AUTH: it knows no such password, or none at all");
  }
  if (server.database != 0) {
    const std::string number = std::to_string(server.database);
    add({"SELECT", number}, "Redis refuses SELECT: it has no database of this number");
  }
}

bool RedisConnection::is_stale() const {
  pollfd waiting{.fd = socket_.descriptor(), .events = POLLIN, .revents = 0};
  return !reader_.empty() || ::poll(&waiting, 1, 0) != 0;
}

void RedisConnection::abort(std::unique_ptr<RedisConnection> connection) {
  if (!connection) return;
  constexpr linger at_once{.l_onoff = 1, .l_linger = 0};
  ::setsockopt(connection->socket_.descriptor(), SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
}

// In one piece: of two, the second might wait until the first has arrived.
RedisResult<void> RedisConnection::send(std::string_view bytes) {
  common::Secret greeting = std::exchange(greeting_, {});
  if (!greeting.empty()) {
    greeting.append(bytes);
    bytes = greeting.reveal();
  }
  if (socket_.write(bytes)) return {};
  return std::unexpected{broken("did not take a command")};
}

RedisResult<RedisReply> RedisConnection::receive() {
  while (!greeting_errors_.empty()) {
    const auto reply = next_reply();
    if (!reply) return reply;
    if (reply->is(RedisReply::Kind::error)) {
      RedisFailure failure = refused_by_redis(reply->text);
      failure.kind = FailureKind::unreachable;
      if (failure.code == "ERR") failure.detail = greeting_errors_.front();
      return std::unexpected{std::move(failure)};
    }
    greeting_errors_.pop_front();
  }
  return next_reply();
}

RedisResult<RedisReply> RedisConnection::next_reply() {
  std::array<char, 16384> block{};
  while (true) {
    auto reply = reader_.next();
    if (!reply) break;
    if (*reply) return **std::move(reply);
    const auto got = socket_.read(block);
    if (!got || *got == 0) return std::unexpected{broken("ended the connection")};
    if (!reader_.feed({block.data(), *got})) break;
  }
  return std::unexpected{RedisFailure{.kind = FailureKind::garbage,
                                      .detail = "what answers there is no Redis, or says far too much"}};
}

RedisFailure RedisConnection::broken(std::string_view what) const {
  if (socket_.timed_out()) return {.kind = FailureKind::timed_out, .detail = "Redis did not answer in time"};
  return {.kind = FailureKind::unreachable, .detail = "Redis " + std::string{what}};
}

}  // namespace grantd::daemon
