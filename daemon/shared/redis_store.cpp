// The loop's side. An operation is a job in the queue and a timer here; whichever ends first ends it for
// whoever asked. So nothing that a worker hangs in, a name lookup say, delays anybody past the timeout. What
// it says about the server is another matter: that is judged by the time since the job left the queue.
#include "daemon/shared/redis_store.hpp"

#include <algorithm>
#include <array>
#include <utility>

namespace grantd::daemon {

namespace {

using FailureKind = RedisFailure::Kind;

// By Operation.
constexpr std::array<std::string_view, 5> operation_names{"look_up", "lease", "write", "delete", "probe"};
constexpr std::chrono::minutes refusal_log_interval{1};
// A probe delays nobody, so it may take as long as a connection over a bad line takes.
constexpr std::chrono::milliseconds probe_patience{3000};
// Nor does what nobody waits for, which may stay in the queue for longer.
constexpr std::chrono::milliseconds background_patience{1000};
// A worker tells by itself when the time is up, unless it hangs in the resolver.
constexpr std::chrono::milliseconds worker_grace{50};

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

struct RedisStore::Call {
  Call(common::TimerQueue& timers, Operation what, Answered when_done, std::function<void(Call&)> on_deadline)
      : operation(what),
        done(std::move(when_done)),
        deadline(timers, [this, late = std::move(on_deadline)] { late(*this); }) {}

  /// Tells whoever asked, once.
  void answer(bool answered) {
    if (done) std::exchange(done, nullptr)(answered);
  }

  const Operation operation;
  Answered done;  // null: told
  std::move_only_function<void()> late{};
  std::shared_ptr<RedisJob> job{};
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
      queue_(std::make_shared<RedisQueue>(links_, parts_.workers, parts_.clock)),
      probe_timer_(parts.loop.timers(), [this] { probe(); }) {}

RedisStore::~RedisStore() {
  const Calls pending = std::exchange(calls_, {});
  for (const auto& call : pending) call->answer(false);
}

void RedisStore::look_up(std::vector<std::string> names, Done<StoredEntries> done) {
  run<StoredEntries>(Operation::look_up, timeout_, redis_look_up(names), std::move(done));
}

void RedisStore::lease(LeaseOrder order, std::vector<std::string> names, common::BootTime since,
                       Done<Leased> done, std::move_only_function<void()> got_late) {
  const auto spent = std::chrono::floor<std::chrono::milliseconds>(parts_.loop.timers().now() - since);
  // Of several that are told at once, one may have been the last to keep this.
  auto answered = [store = std::weak_ptr(self_), order,
                   done = std::move(done)](std::optional<Leased> leased) mutable {
    RedisStore* const self = there(store);
    if (!leased && self != nullptr) self->disown(order);
    done(std::move(leased));
  };
  auto late = [store = std::weak_ptr(self_), holder = order.holder,
               got_late = std::move(got_late)](const Leased& leased) mutable {
    RedisStore* const self = there(store);
    if (!leased.got || self == nullptr) return;
    std::erase_if(self->disowned_, [&holder](const auto& one) { return one.second.holder == holder; });
    got_late();
  };
  run<Leased>(Operation::lease, timeout_ - spent, redis_lease(order, names), std::move(answered),
              std::move(late));
}

void RedisStore::extend(LeaseOrder order) {
  run<bool>(Operation::lease, background_patience, redis_extend(order), [](std::optional<bool>) {});
}

void RedisStore::release(LeaseOrder order, bool in_vain) {
  if (!circuit_.closed()) return disown(std::move(order));
  run<bool>(Operation::lease, background_patience, redis_release(order, in_vain), [](std::optional<bool>) {});
}

void RedisStore::disown(LeaseOrder order) {
  const auto now = parts_.loop.timers().now();
  std::erase_if(disowned_, [now](const auto& one) { return one.first <= now; });
  const auto ends = now + order.duration;
  disowned_.emplace_back(ends, std::move(order));
}

// Others would wait until they run out. To release one that was never got is nothing.
void RedisStore::release_disowned() {
  const auto now = parts_.loop.timers().now();
  const std::weak_ptr store{self_};
  for (auto& [ends, order] : std::exchange(disowned_, {})) {
    if (now < ends && !store.expired()) release(std::move(order), false);
  }
}

void RedisStore::put(PutOrder order, Done<InTheWay> done) {
  run<InTheWay>(Operation::write, background_patience, redis_put(order), std::move(done));
}

void RedisStore::erase_if(std::string name, std::string bytes) {
  run<bool>(Operation::erase, background_patience, redis_erase_if(name, bytes), [](std::optional<bool>) {});
}

void RedisStore::erase(std::vector<std::string> names, std::move_only_function<void()> done) {
  run<bool>(Operation::erase, timeout_, redis_erase(names),
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
template <class T>
void RedisStore::run(Operation operation, std::chrono::milliseconds patience, RedisOperation<T> asked,
                     Done<T> done, std::move_only_function<void(const T&)> late) {
  if (!circuit_.closed() || patience <= std::chrono::milliseconds{0}) return done(std::nullopt);
  auto value = std::make_shared<std::optional<T>>();
  auto job = std::make_shared<RedisJob>();
  job->commands = std::move(asked.commands);
  job->patience = timeout_;
  job->read = [read = std::move(asked.read), value](std::span<RedisReply> replies) mutable {
    RedisOutcome<T> outcome = read(replies);
    *value = std::move(outcome.value);
    return std::move(outcome.failure);
  };
  start(
      operation, patience, std::move(job),
      [done = std::move(done), value](bool answered) mutable {
        done(answered ? std::move(*value) : std::nullopt);
      },
      [late = std::move(late), value]() mutable {
        if (late && *value) late(**value);
      });
}

void RedisStore::start(Operation operation, std::chrono::milliseconds patience, std::shared_ptr<RedisJob> job,
                       Answered done, std::move_only_function<void()> late) {
  auto call = std::make_shared<Call>(parts_.loop.timers(), operation, std::move(done),
                                     [this](Call& one) { give_up(one); });
  call->late = std::move(late);
  call->place = calls_.insert(calls_.end(), call);
  auto password = std::make_shared<const common::Secret>();
  if (password_) {
    auto read = password_->read();
    if (!read) return finish(call, RedisFailure{.detail = std::move(read.error().detail)}, false);
    password = *std::move(read);
  }
  job->password = std::move(password);
  job->ended = [waiting = std::weak_ptr(call), store = std::weak_ptr(self_), &loop = parts_.loop] {
    loop.post([waiting, store] {
      RedisStore* const self = there(store);
      auto ended = waiting.lock();
      if (self == nullptr || !ended) return;
      const auto failure = ended->job->failure;
      self->finish(std::move(ended), failure, true);
    });
  };
  call->job = std::move(job);
  call->deadline.arm_after(patience);
  queue_->push(call->job);
}

// Time in the queue is this machine's own and says nothing about the server.
void RedisStore::give_up(Call& late) {
  const auto call = *late.place;
  const auto begun = queue_->withdraw(call->job);
  const auto silent_at = begun ? *begun + call->job->patience + worker_grace : common::BootTime::max();
  const bool silent = parts_.loop.timers().now() >= silent_at;
  if (begun && !silent) {
    call->deadline.arm(silent_at);
    return call->answer(false);
  }
  if (silent || call->operation == Operation::probe)
    return finish(
        call, RedisFailure{.kind = FailureKind::timed_out, .detail = "Redis did not answer in time"}, false);
  finish(call, RedisFailure{.kind = FailureKind::not_asked, .detail = "too many operations at once"}, false);
}

void RedisStore::finish(std::shared_ptr<Call> call, const std::optional<RedisFailure>& failure,
                        bool answered) {
  if (std::exchange(call->finished, true)) return;
  calls_.erase(call->place);
  call->deadline.disarm();
  if (call->operation == Operation::probe) return end_probe(failure, call->job);
  judge(*call, failure);
  if (answered && !call->done && call->late) call->late();
  call->answer(answered);
}

void RedisStore::judge(const Call& call, const std::optional<RedisFailure>& failure) {
  const Operation operation = call.operation;
  parts_.metrics.operation(operation_names[static_cast<std::size_t>(operation)], result_of(failure));
  if (!failure) {
    circuit_.prove();
    if (const auto found = refusals_.find(operation); found != refusals_.end()) found->second.current = false;
  } else if (failure->kind == FailureKind::refused && !ends_everything(*failure)) {
    refuse(operation, *failure);
  } else if (failure->kind != FailureKind::not_asked) {
    lose(*failure, call.job && call.job->on_kept_connection);
  }
}

// One definition's entry may be refused and the next one's not: that is no news each time. Nor is another
// code, which is the server's to choose.
void RedisStore::refuse(Operation operation, const RedisFailure& failure) {
  Refusal& last = refusals_[operation];
  const auto now = parts_.loop.timers().now();
  const bool same = last.current && last.failure.code == failure.code;
  const bool known = same || (last.logged && now < *last.logged + refusal_log_interval);
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
void RedisStore::lose(const RedisFailure& failure, bool soon) {
  if (!circuit_.closed()) return;
  const auto now = parts_.loop.timers().now();
  const auto next = circuit_.open(now, parts_.entropy.uniform());
  probe_timer_.arm(soon ? now : next);
  down_because_ = failure.detail;
  parts_.log.warning("shared_cache_down", {{"detail", failure.detail}});
  begin_anew();
  links_->close_all();
  const Calls pending = std::exchange(calls_, {});
  for (const auto& call : pending) {
    call->finished = true;
    call->deadline.disarm();
  }
  for (const auto& call : pending) call->answer(false);
}

void RedisStore::begin_anew() {
  queue_->abandon();
  queue_ = std::make_shared<RedisQueue>(links_, parts_.workers, parts_.clock);
}

void RedisStore::probe() {
  auto job = std::make_shared<RedisJob>();
  job->commands.add({"PING"});
  job->patience = std::max(timeout_, probe_patience);
  // A user who may not even do that gets an answer.
  job->read = [](std::span<RedisReply> replies) -> std::optional<RedisFailure> {
    if (!replies.front().is(RedisReply::Kind::error)) return std::nullopt;
    auto failure = refused_by_redis(replies.front().text);
    return ends_everything(failure) ? std::optional{std::move(failure)} : std::nullopt;
  };
  const auto patience = job->patience;
  start(Operation::probe, patience, std::move(job), [](bool) {});
}

// It has more time than others, for the sake of its connection; an answer that is no faster than theirs may
// be would have the next caller wait in vain.
void RedisStore::end_probe(std::optional<RedisFailure> failure, const std::shared_ptr<RedisJob>& job) {
  if (!failure && job->took >= timeout_)
    failure = RedisFailure{.kind = FailureKind::timed_out, .detail = "Redis answers, but too late"};
  if (!failure) {
    circuit_.close();
    parts_.log.info("shared_cache_up");
    return release_disowned();
  }
  begin_anew();
  probe_timer_.arm(circuit_.open(parts_.loop.timers().now(), parts_.entropy.uniform()));
  if (std::exchange(down_because_, failure->detail) == failure->detail) return;
  parts_.log.warning("shared_cache_down", {{"detail", failure->detail}});
}

}  // namespace grantd::daemon
