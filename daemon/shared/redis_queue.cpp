// All commands of a batch are written before the first reply is read: its bound in bytes is less than any
// socket's buffers hold, so that a proxy that takes a command only once it is rid of the last reply is no
// deadlock.
#include "daemon/shared/redis_queue.hpp"

#include <algorithm>
#include <utility>

namespace grantd::daemon {

namespace {

using FailureKind = RedisFailure::Kind;

constexpr std::size_t most_jobs = 64;
constexpr std::size_t most_bytes = std::size_t{32} << 10;
// A thread that gets the processor this long after its deadline cannot tell whether an answer that lies there
// came in time.
constexpr std::chrono::milliseconds prompt{5};

// After a failover the address may lead to the new primary, while the old one, a replica now, keeps its
// connections.
bool is_for_another_server(const RedisFailure& failure) {
  return failure.kind == FailureKind::refused &&
         (failure.code == "READONLY" || failure.code == "MASTERDOWN" || failure.code == "CLUSTERDOWN");
}

}  // namespace

void RedisQueue::push(std::shared_ptr<RedisJob> job) {
  const std::lock_guard lock{mutex_};
  jobs_.push_back(std::move(job));
  const auto free = std::ranges::find(pumps_, false, &Pump::running);
  if (free == pumps_.end()) return;
  free->running = true;
  const auto place = static_cast<std::size_t>(free - pumps_.begin());
  // Weak: the ticket keeps the pump, so that one that never begins would keep the queue.
  free->ticket = workers_.run([queue = weak_from_this(), place] {
    if (const auto self = queue.lock()) self->pump(place);
  });
}

std::optional<common::BootTime> RedisQueue::withdraw(const std::shared_ptr<RedisJob>& job) {
  const std::lock_guard lock{mutex_};
  if (!job->begun) std::erase(jobs_, job);
  return job->begun;
}

void RedisQueue::abandon() {
  const std::lock_guard lock{mutex_};
  jobs_.clear();
  for (Pump& pump : pumps_) {
    if (pump.running) pump.ticket.abandon();
  }
}

void RedisQueue::pump(std::size_t place) {
  while (true) {
    const auto batch = take(place);
    if (batch.empty()) return;
    auto link = links_->take();
    exchange(*link, batch);
    links_->give_back(std::move(link));
    common::wipe_stack();
  }
}

std::vector<std::shared_ptr<RedisJob>> RedisQueue::take(std::size_t place) {
  const auto now = clock_.now();
  const std::lock_guard lock{mutex_};
  std::vector<std::shared_ptr<RedisJob>> batch;
  std::size_t bytes = 0;
  while (!jobs_.empty() && batch.size() < most_jobs) {
    bytes += jobs_.front()->commands.bytes().size();
    if (!batch.empty() && bytes > most_bytes) break;
    jobs_.front()->begun = now;
    batch.push_back(std::move(jobs_.front()));
    jobs_.pop_front();
  }
  if (batch.empty()) pumps_[place].running = false;
  return batch;
}

void RedisQueue::exchange(RedisLink& link, Batch batch) {
  std::chrono::milliseconds patience{0};
  for (const auto& job : batch) patience = std::max(patience, job->patience);
  const auto deadline = clock_.now() + patience;
  const bool fresh = clock_.now() - link.used <= RedisLink::longest_idle;
  bool reused = link.connection && fresh && !link.connection->is_stale();
  bool on_kept_connection = false;
  std::optional<RedisFailure> failure;
  while (true) {
    failure = reused ? std::nullopt : connect(link, *batch.front()->password, deadline);
    if (!failure) {
      on_kept_connection = reused;
      failure = ask(link, batch, deadline);
    }
    if (!failure) return;
    RedisConnection::abort(std::move(link.connection));
    // What was open may have been closed since: by a server that was restarted, say.
    if (!std::exchange(reused, false) || failure->kind != FailureKind::unreachable) break;
  }
  for (const auto& job : batch) {
    job->failure = failure;
    job->on_kept_connection = on_kept_connection;
    job->ended();
  }
}

std::optional<RedisFailure> RedisQueue::connect(RedisLink& link, const common::Secret& password,
                                                common::BootTime deadline) const {
  link.connection.reset();
  auto opened = RedisConnection::open(link.address, password, clock_, deadline);
  if (!opened) return std::move(opened.error());
  link.connection = *std::move(opened);
  return std::nullopt;
}

// Leaves in the batch what got no answer. While the server answers others, nobody's silence begins.
std::optional<RedisFailure> RedisQueue::ask(RedisLink& link, Batch& batch, common::BootTime deadline) {
  RedisConnection& redis = *link.connection;
  bool elsewhere = false;
  const auto sent_at = clock_.now();
  redis.set_deadline(deadline);
  std::string bytes;
  for (const auto& job : batch) bytes += job->commands.bytes();
  if (auto sent = redis.send(bytes); !sent) return std::move(sent.error());
  while (!batch.empty()) {
    RedisJob& job = *batch.front();
    std::vector<RedisReply> replies;
    while (replies.size() < job.commands.count()) {
      auto reply = redis.receive();
      if (!reply) {
        const bool overslept = redis.is_stale() && clock_.now() > deadline + prompt;
        if (overslept && reply.error().kind == FailureKind::timed_out)
          return RedisFailure{.kind = FailureKind::not_asked, .detail = "this machine is too busy"};
        return std::move(reply.error());
      }
      replies.push_back(*std::move(reply));
    }
    auto failure = job.read(replies);
    if (failure && failure->kind == FailureKind::garbage) return failure;
    elsewhere = elsewhere || (failure && is_for_another_server(*failure));
    const auto now = clock_.now();
    link.used = now;
    job.failure = std::move(failure);
    job.took = now - sent_at;
    job.ended();
    batch = batch.subspan(1);
    if (batch.empty()) break;
    deadline = now + batch.front()->patience;
    redis.set_deadline(deadline);
    const std::lock_guard lock{mutex_};
    for (const auto& next : batch) next->begun = now;
  }
  if (elsewhere) {
    link.connection.reset();
    links_->close_all();
  }
  return std::nullopt;
}

}  // namespace grantd::daemon
