// The loop's side. An operation is a job for a worker and a timer here; whichever ends first ends it for
// whoever asked. So nothing that a worker hangs in, a name lookup say, delays anybody past the timeout.
#include "daemon/shared/redis_store.hpp"

#include <algorithm>
#include <array>
#include <atomic>
#include <utility>

namespace grantd::daemon {

namespace {

using FailureKind = RedisFailure::Kind;

// By Operation.
constexpr std::array<std::string_view, 5> operation_names{"look_up", "lease", "write", "delete", "probe"};
constexpr std::chrono::minutes refusal_log_interval{1};
// A probe delays nobody, so it may take as long as a connection over a bad line takes.
constexpr std::chrono::milliseconds probe_patience{3000};

// The server as a whole is of no use in these; with any other code it still answers the next command.
bool ends_everything(const RedisFailure& failure) {
  constexpr std::array<std::string_view, 6> codes{"LOADING",   "BUSY",       "NOAUTH",
                                                  "WRONGPASS", "MASTERDOWN", "DENIED"};
  return failure.kind != FailureKind::refused || std::ranges::find(codes, failure.code) != codes.end();
}

std::string_view result_of(const std::optional<RedisFailure>& failure) {
  if (!failure) return "ok";
  if (failure->kind == FailureKind::refused) return "refused";
  if (failure->kind == FailureKind::not_asked) return "timeout";
  return failure->kind == FailureKind::timed_out ? "timeout" : "error";
}

}  // namespace

/// What a worker gets and brings back.
struct RedisStore::Job {
  std::shared_ptr<RedisLinks> links;
  std::shared_ptr<const common::Secret> password;
  common::BootTime deadline;
  Work work;
  std::optional<RedisFailure> failure{};
  std::atomic<bool> begun = false;

  void run(const common::Clock& clock) {
    begun = true;
    auto link = links->take();
    failure = ask(*link, clock);
    links->give_back(std::move(link));
  }

  std::optional<RedisFailure> ask(RedisLink& link, const common::Clock& clock) {
    bool reused = link.connection && !link.connection->is_stale();
    while (true) {
      if (!reused) {
        if (auto failed = connect(link, clock)) return failed;
      }
      link.connection->set_deadline(deadline);
      auto failed = work(*link.connection);
      if (!failed || failed->kind == FailureKind::refused) return failed;
      link.connection.reset();
      // What was open may have been closed since: by a server that was restarted, say.
      if (!std::exchange(reused, false) || failed->kind != FailureKind::unreachable) return failed;
    }
  }

  std::optional<RedisFailure> connect(RedisLink& link, const common::Clock& clock) const {
    link.connection.reset();
    auto opened = RedisConnection::open(link.address, *password, clock, deadline);
    if (opened) {
      link.connection = *std::move(opened);
      return std::nullopt;
    }
    // Without a greeting nothing else is answered.
    if (opened.error().kind == FailureKind::refused) opened.error().kind = FailureKind::unreachable;
    return std::move(opened.error());
  }
};

struct RedisStore::Call {
  Call(common::TimerQueue& timers, Operation what, std::move_only_function<void(bool)> when_done,
       std::function<void(Call&)> on_deadline)
      : operation(what),
        done(std::move(when_done)),
        deadline(timers, [this, late = std::move(on_deadline)] { late(*this); }) {}

  const Operation operation;
  std::move_only_function<void(bool answered)> done;
  std::shared_ptr<Job> job{};
  Workers::Ticket ticket{};
  Calls::iterator place{};
  bool finished = false;
  common::Timer deadline;
};

RedisStore::RedisStore(config::RedisServer server, std::shared_ptr<SecretSource> password,
                       std::chrono::milliseconds timeout, RedisParts parts)
    : links_(std::make_shared<RedisLinks>(std::move(server))),
      password_(std::move(password)),
      timeout_(timeout),
      parts_(parts),
      probe_timer_(parts.loop.timers(), [this] { probe(); }) {}

RedisStore::~RedisStore() = default;

void RedisStore::look_up(std::vector<std::string> names, Done<StoredEntries> done) {
  run<StoredEntries>(
      Operation::look_up, timeout_,
      [names = std::move(names)](RedisConnection& redis) { return redis_look_up(redis, names); },
      std::move(done));
}

void RedisStore::lease(LeaseOrder order, std::vector<std::string> names, common::BootTime since,
                       Done<Leased> done) {
  const auto spent = std::chrono::floor<std::chrono::milliseconds>(parts_.loop.timers().now() - since);
  run<Leased>(
      Operation::lease, timeout_ - spent,
      [order = std::move(order), names = std::move(names)](RedisConnection& redis) {
        return redis_lease(redis, order, names);
      },
      std::move(done));
}

void RedisStore::extend(LeaseOrder order) {
  run<bool>(
      Operation::lease, timeout_,
      [order = std::move(order)](RedisConnection& redis) { return redis_extend(redis, order); },
      [](std::optional<bool>) {});
}

void RedisStore::release(LeaseOrder order) {
  run<bool>(
      Operation::lease, timeout_,
      [order = std::move(order)](RedisConnection& redis) { return redis_release(redis, order); },
      [](std::optional<bool>) {});
}

void RedisStore::put(PutOrder order, Done<InTheWay> done) {
  run<InTheWay>(
      Operation::write, timeout_,
      [order = std::move(order)](RedisConnection& redis) { return redis_put(redis, order); },
      std::move(done));
}

void RedisStore::erase(std::vector<std::string> names, std::move_only_function<void()> done) {
  run<bool>(
      Operation::erase, timeout_,
      [names = std::move(names)](RedisConnection& redis) { return redis_erase(redis, names); },
      [done = std::move(done)](std::optional<bool>) mutable { done(); });
}

std::string RedisStore::last_error() const {
  if (!circuit_.closed()) return down_because_;
  for (const auto& [_, refusal] : refusals_) {
    if (refusal.current) return refusal.failure.detail;
  }
  return {};
}

// The worker writes the value, the loop reads it: but never before the job has come back.
template <class T, class Ask>
void RedisStore::run(Operation operation, std::chrono::milliseconds patience, Ask ask, Done<T> done) {
  if (!circuit_.closed() || patience <= std::chrono::milliseconds{0}) return done(std::nullopt);
  auto value = std::make_shared<std::optional<T>>();
  start(
      operation, patience,
      [ask = std::move(ask), value](RedisConnection& redis) {
        RedisOutcome<T> outcome = ask(redis);
        *value = std::move(outcome.value);
        return std::move(outcome.failure);
      },
      [done = std::move(done), value](bool answered) mutable {
        done(answered ? std::move(*value) : std::nullopt);
      });
}

void RedisStore::start(Operation operation, std::chrono::milliseconds patience, Work work,
                       std::move_only_function<void(bool answered)> done) {
  auto call = std::make_shared<Call>(parts_.loop.timers(), operation, std::move(done),
                                     [this](Call& late) { give_up(late); });
  call->place = calls_.insert(calls_.end(), call);
  auto password = std::make_shared<const common::Secret>();
  if (password_) {
    auto read = password_->read();
    if (!read) return finish(call, RedisFailure{.detail = std::move(read.error().detail)}, false);
    password = *std::move(read);
  }
  call->job = std::make_shared<Job>();
  call->job->links = links_;
  call->job->password = std::move(password);
  call->job->deadline = parts_.loop.timers().now() + patience;
  call->job->work = std::move(work);
  call->deadline.arm(call->job->deadline);
  call->ticket =
      parts_.workers.run([job = call->job, waiting = std::weak_ptr(call), store = std::weak_ptr(self_),
                          &clock = parts_.clock, &loop = parts_.loop] {
        job->run(clock);
        common::wipe_stack();
        loop.post([job, waiting, store] {
          const auto self = store.lock();
          auto ended = waiting.lock();
          if (self && ended) (*self)->finish(std::move(ended), job->failure, true);
        });
      });
}

// A job that no worker has begun says nothing about the server.
void RedisStore::give_up(Call& call) {
  const bool begun = call.job->begun || call.operation == Operation::probe;
  call.ticket.abandon();
  finish(*call.place,
         RedisFailure{.kind = begun ? FailureKind::timed_out : FailureKind::not_asked,
                      .detail = begun ? "Redis did not answer in time" : "too many operations at once"},
         false);
}

void RedisStore::finish(std::shared_ptr<Call> call, const std::optional<RedisFailure>& failure,
                        bool answered) {
  if (std::exchange(call->finished, true)) return;
  calls_.erase(call->place);
  call->deadline.disarm();
  if (call->operation == Operation::probe) return end_probe(failure);
  judge(call->operation, failure);
  call->done(answered);
}

void RedisStore::judge(Operation operation, const std::optional<RedisFailure>& failure) {
  parts_.metrics.operation(operation_names[static_cast<std::size_t>(operation)], result_of(failure));
  if (!failure) {
    if (const auto found = refusals_.find(operation); found != refusals_.end()) found->second.current = false;
  } else if (failure->kind == FailureKind::refused && !ends_everything(*failure)) {
    refuse(operation, *failure);
  } else if (failure->kind != FailureKind::not_asked) {
    lose(*failure);
  }
}

// One definition's entry may be refused and the next one's not: that is no news each time.
void RedisStore::refuse(Operation operation, const RedisFailure& failure) {
  Refusal& last = refusals_[operation];
  const auto now = parts_.loop.timers().now();
  const bool same = last.failure.code == failure.code;
  const bool known = same && (last.current || now < last.logged + refusal_log_interval);
  last.failure = failure;
  last.current = true;
  if (known) return;
  last.logged = now;
  parts_.log.warning("shared_cache_refused",
                     {{"operation", operation_names[static_cast<std::size_t>(operation)]},
                      {"code", failure.code},
                      {"detail", failure.detail}});
}

// Whoever waits for an answer goes on without.
void RedisStore::lose(const RedisFailure& failure) {
  if (!circuit_.closed()) return;
  probe_timer_.arm(circuit_.open(parts_.loop.timers().now(), parts_.entropy.uniform()));
  down_because_ = failure.detail;
  parts_.log.warning("shared_cache_down", {{"detail", failure.detail}});
  links_->close_all();
  const Calls pending = std::exchange(calls_, {});
  for (const auto& call : pending) {
    call->finished = true;
    call->deadline.disarm();
    call->ticket.abandon();
  }
  for (const auto& call : pending) call->done(false);
}

void RedisStore::probe() {
  start(
      Operation::probe, std::max(timeout_, probe_patience),
      [](RedisConnection& redis) -> std::optional<RedisFailure> {
        const auto reply = redis.command({"PING"});
        // A user who may not even do that gets an answer.
        if (reply || (reply.error().kind == FailureKind::refused && !ends_everything(reply.error())))
          return std::nullopt;
        return reply.error();
      },
      [](bool) {});
}

void RedisStore::end_probe(const std::optional<RedisFailure>& failure) {
  if (!failure) {
    circuit_.close();
    return parts_.log.info("shared_cache_up");
  }
  probe_timer_.arm(circuit_.open(parts_.loop.timers().now(), parts_.entropy.uniform()));
  if (std::exchange(down_because_, failure->detail) == failure->detail) return;
  parts_.log.warning("shared_cache_down", {{"detail", failure->detail}});
}

}  // namespace grantd::daemon
