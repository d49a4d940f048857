// Accepts in small batches, so that a flood of connections does not hold up those that are being served.
// Running out of descriptors must neither end the daemon nor make it spin: the connections that cannot be
// kept are told so with the help of a spare descriptor, and where even that fails accepting rests for a
// moment.
#include "daemon/server/listener.hpp"

#include <fcntl.h>
#include <sys/socket.h>

#include <cerrno>
#include <system_error>

#include "daemon/server/http_session.hpp"

namespace grantd::daemon {

using common::Error;
using common::ErrorCode;
using common::UniqueFd;

namespace {

constexpr int batch = 64;
constexpr std::size_t most_refusing = 64;
constexpr std::chrono::milliseconds rest{100};
constexpr std::chrono::seconds complaint_interval{10};

UniqueFd open_spare() { return UniqueFd{::open("/dev/null", O_RDONLY | O_CLOEXEC)}; }

const Error& too_many() {
  static const Error error{.code = ErrorCode::too_many_connections,
                           .detail =
                               "close connections that are not used, or raise max_connections or "
                               "max_connections_per_user"};
  return error;
}

/// Says 503 as far as it can be said without waiting.
void refuse_at_once(int socket) {
  const LocalResponse problem = problem_response(too_many());
  std::string text = "HTTP/1.1 503 Service Unavailable\r\nContent-Type: ";
  text.append(problem.content_type).append("\r\nConnection: close\r\nContent-Length: ");
  text.append(std::to_string(problem.body.size())).append("\r\n\r\n").append(problem.body);
  [[maybe_unused]] const auto sent = ::send(socket, text.data(), text.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
  ::shutdown(socket, SHUT_WR);
}

}  // namespace

Listener::Listener(ServerState& state, UniqueFd listening, Handler& handler, ServerState::Origin origin)
    : state_(state),
      listening_(state.parts.loop),
      handler_(handler),
      origin_(origin),
      spare_(open_spare()),
      resume_(state.parts.loop.timers(), [this] { accept_waiting(); }) {
  listening_.on_readable([this] { accept_waiting(); });
  listening_.open(std::move(listening));
}

void Listener::start(const std::shared_ptr<ServerState>& state) { owner_ = state; }

void Listener::accept_waiting() {
  for (int i = 0; i < batch; ++i) {
    switch (accept_one()) {
      case Accepted::one:
        break;
      case Accepted::none:
        return;
      case Accepted::out_of_descriptors:
        switch (refuse_with_spare()) {
          case Accepted::one:
            break;
          case Accepted::none:
            return;
          default:
            return pause();
        }
        break;
      case Accepted::failed:
        return pause();
    }
  }
  state_.parts.loop.post([this, alive = std::weak_ptr{alive_}] {
    if (!alive.expired()) accept_waiting();
  });
}

void Listener::pause() {
  was_away_ = true;
  resume_.arm_after(rest);
}

Listener::Accepted Listener::accept_one() {
  while (true) {
    UniqueFd connection{::accept4(listening_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK)};
    if (connection) {
      serve(std::move(connection));
      return Accepted::one;
    }
    switch (errno) {
      case EMFILE:
      case ENFILE:
      case ENOBUFS:
      case ENOMEM:
        return Accepted::out_of_descriptors;
      case EAGAIN:
        was_away_ = false;
        return Accepted::none;
      case EINTR:
      case ECONNABORTED:
        continue;
      default:
        complain("accept_failed", std::generic_category().message(errno));
        return Accepted::failed;
    }
  }
}

void Listener::serve(UniqueFd connection) {
  PeerIdentity peer;
  if (origin_ == ServerState::Origin::local) {
    const Arrival arrival{.accepted = state_.parts.loop.timers().now(), .was_queued = was_away_};
    auto identified = identify_peer(connection.get(), arrival);
    if (!identified) return refuse_for_want_of_descriptors(connection.get());
    peer = std::move(*identified);
  }
  const bool admitted = state_.admit(origin_, peer);
  if (!admitted && state_.refusing >= most_refusing) return refuse_at_once(connection.get());
  const auto session =
      std::make_shared<HttpSession>(owner_.lock(), std::move(connection), std::move(peer), handler_, origin_);
  if (admitted) {
    session->start();
  } else {
    session->start_refusing(too_many());
  }
}

Listener::Accepted Listener::refuse_with_spare() {
  spare_.reset();
  UniqueFd connection{::accept4(listening_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK)};
  const bool nobody_waits = !connection && errno == EAGAIN;
  const Accepted outcome = connection ? Accepted::one : nobody_waits ? Accepted::none : Accepted::failed;
  if (connection) refuse_for_want_of_descriptors(connection.get());
  connection.reset();
  spare_ = open_spare();
  return outcome;
}

void Listener::refuse_for_want_of_descriptors(int connection) {
  complain("out_of_descriptors", "a connection cannot be kept; see LimitNOFILE");
  refuse_at_once(connection);
  state_.parts.metrics.connection_refused();
}

void Listener::complain(std::string_view event, std::string_view detail) {
  const auto now = state_.parts.loop.timers().now();
  if (complained_ && now - *complained_ < complaint_interval) return;
  complained_ = now;
  state_.parts.log.error(event, {{"detail", detail}});
}

}  // namespace grantd::daemon
