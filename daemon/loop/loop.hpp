#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/basic_stream_socket.hpp>
#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/posix/basic_stream_descriptor.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "common/timer_queue.hpp"
#include "common/unique_fd.hpp"

namespace grantd::daemon {

namespace asio = boost::asio;

/// The concrete executor is named everywhere: a type-erased one costs an indirect call and an allocation for
/// each operation.
using Executor = asio::io_context::executor_type;
template <class T = void>
using awaitable = asio::awaitable<T, Executor>;
inline constexpr asio::use_awaitable_t<Executor> use_awaitable{};
using LocalSocket = asio::basic_stream_socket<asio::local::stream_protocol, Executor>;
using TcpSocket = asio::basic_stream_socket<asio::ip::tcp, Executor>;

/// The event loop: one thread that owns all state of the daemon. Everything here is for that thread only,
/// except `post`.
class Loop {
 public:
  explicit Loop(const common::Clock& clock);

  asio::io_context& context() { return context_; }
  Executor executor() { return context_.get_executor(); }
  /// Deadlines, driven by one timerfd on CLOCK_BOOTTIME.
  common::TimerQueue& timers() { return timers_; }

  /// Runs `action` on the loop's thread soon; callable from any thread.
  void post(std::move_only_function<void()> action);

  /// Returns after `stop`.
  void run();
  void stop() { context_.stop(); }

 private:
  void set_alarm();
  void wait_for_alarm();

  common::TimerQueue timers_;  // before the context: suspended coroutines, which die with it, hold timers
  // Sockets are used by this thread alone; `post` comes from others.
  asio::io_context context_{BOOST_ASIO_CONCURRENCY_HINT_UNSAFE_IO};
  asio::posix::basic_stream_descriptor<Executor> alarm_;
};

}  // namespace grantd::daemon
