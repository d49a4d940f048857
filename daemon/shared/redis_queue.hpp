#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <vector>

#include "daemon/loop/workers.hpp"
#include "daemon/shared/redis_links.hpp"

namespace grantd::daemon {

/// Commands for the server, and what comes of them. A worker's alone from the time it is begun until `ended`
/// is called.
struct RedisJob {
  RedisCommands commands;
  /// In a worker's thread, by the commands: see RedisOperation.
  std::move_only_function<std::optional<RedisFailure>(std::span<RedisReply>)> read;
  std::shared_ptr<const common::Secret> password;
  /// For the server, from the time the job is begun, or since it answered the job before on the connection.
  std::chrono::milliseconds patience{0};
  /// Called once, in a worker's thread.
  std::move_only_function<void()> ended;

  std::optional<RedisFailure> failure{};
  /// The failure is one of a connection that was open before: it says less about the server.
  std::atomic<bool> on_kept_connection = false;
  /// From sending the commands, over an open connection, to the last reply.
  common::BootClock::duration took{0};
  std::optional<common::BootTime> begun{};  // the queue's
};

/// Jobs on their way to a server. A worker takes what waits, up to a bound, sends it over one connection in
/// one go and reads the replies in order: so a round trip is shared by all that came during the one before,
/// and their number says nothing about how long one of them takes. Called on the loop's thread.
class RedisQueue : public std::enable_shared_from_this<RedisQueue> {
 public:
  /// How many workers, and connections, it uses at once.
  static constexpr std::size_t most_pumps = 4;

  /// `workers` and `clock` outlive every job.
  RedisQueue(std::shared_ptr<RedisLinks> links, Workers& workers, const common::Clock& clock)
      : links_(std::move(links)), workers_(workers), clock_(clock) {}

  void push(std::shared_ptr<RedisJob> job);
  /// Since when the server owes it an answer; nothing: it was not, and never will be.
  std::optional<common::BootTime> withdraw(const std::shared_ptr<RedisJob>& job);
  /// No job is begun any more, and what hangs has its worker's place freed.
  void abandon();

 private:
  using Batch = std::span<const std::shared_ptr<RedisJob>>;
  struct Pump {
    bool running = false;
    Workers::Ticket ticket{};
  };

  void pump(std::size_t place);
  std::vector<std::shared_ptr<RedisJob>> take(std::size_t place);
  void exchange(RedisLink& link, Batch batch);
  std::optional<RedisFailure> connect(RedisLink& link, const common::Secret& password,
                                      common::BootTime deadline) const;
  std::optional<RedisFailure> ask(RedisLink& link, Batch& batch, common::BootTime deadline);

  const std::shared_ptr<RedisLinks> links_;
  Workers& workers_;
  const common::Clock& clock_;
  std::mutex mutex_;
  std::deque<std::shared_ptr<RedisJob>> jobs_;  // the rest is guarded by the mutex, and `begun` of each job
  std::array<Pump, most_pumps> pumps_{};
};

}  // namespace grantd::daemon
