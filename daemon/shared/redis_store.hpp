#pragma once

#include <deque>
#include <list>
#include <map>
#include <memory>
#include <string>

#include "common/entropy.hpp"
#include "common/log.hpp"
#include "daemon/loop/loop.hpp"
#include "daemon/loop/workers.hpp"
#include "daemon/metrics/metrics.hpp"
#include "daemon/secrets/secret_source.hpp"
#include "daemon/shared/circuit.hpp"
#include "daemon/shared/redis_operations.hpp"
#include "daemon/shared/redis_queue.hpp"
#include "daemon/shared/shared_store.hpp"

namespace grantd::daemon {

/// All of it outlives the store, and every worker's job.
struct RedisParts {
  Loop& loop;
  /// For nothing else: an operation never waits for a token request.
  Workers& workers;
  const common::Clock& clock;
  common::Entropy& entropy;
  common::Logger& log;
  SharedCacheMetrics& metrics;
};

/// The shared store in Redis or Valkey. An operation that somebody waits for takes no longer than `timeout`,
/// whatever the server and the network do; the first that the server leaves without an answer for as long
/// opens the circuit, and from then on nobody waits, until a probe in the background was answered in time.
/// Loop thread only.
class RedisStore final : public SharedStore {
 public:
  /// `password` may be null.
  RedisStore(config::RedisServer server, std::shared_ptr<SecretSource> password,
             std::chrono::milliseconds timeout, RedisParts parts);
  ~RedisStore() override;

  bool available() const override { return circuit_.closed(); }
  void look_up(std::vector<std::string> names, Done<StoredEntries> done) override;
  void lease(LeaseOrder order, std::vector<std::string> names, common::BootTime since, Done<Leased> done,
             std::move_only_function<void()> got_late) override;
  void extend(LeaseOrder order) override;
  void release(LeaseOrder order, bool in_vain) override;
  void put(PutOrder order, Done<InTheWay> done) override;
  void erase_if(std::string name, std::string bytes) override;
  void erase(std::vector<std::string> names, std::move_only_function<void()> done) override;

  /// What is wrong at present, in a sentence; empty: nothing.
  std::string last_error() const;

 private:
  enum class Operation { look_up, lease, write, erase, probe };
  using Answered = std::move_only_function<void(bool answered)>;
  struct Call;
  using Calls = std::list<std::shared_ptr<Call>>;
  /// The last answer to an operation that was a refusal.
  struct Refusal {
    RedisFailure failure{};
    std::optional<common::BootTime> logged{};
    bool current = false;  // nothing better came since
  };

  /// `late` gets what came after `done` was told nothing.
  template <class T>
  void run(Operation operation, std::chrono::milliseconds patience, RedisOperation<T> asked, Done<T> done,
           std::move_only_function<void(const T&)> late = nullptr);
  /// `patience`: of whoever asks.
  void start(Operation operation, std::chrono::milliseconds patience, std::shared_ptr<RedisJob> job,
             Answered done, std::move_only_function<void()> late = nullptr);
  void give_up(Call& late);
  void finish(std::shared_ptr<Call> call, const std::optional<RedisFailure>& failure, bool answered);
  void judge(const Call& call, const std::optional<RedisFailure>& failure);
  void refuse(Operation operation, const RedisFailure& failure);
  /// `soon`: it may be there all the same.
  void lose(const RedisFailure& failure, bool soon);
  void probe();
  void end_probe(std::optional<RedisFailure> failure, const std::shared_ptr<RedisJob>& job);
  /// With a queue of its own, whatever becomes of what is under way.
  void begin_anew();

  /// Null once that store has ended, for what may be called then. Keeps nothing: it may end at any call.
  static RedisStore* there(const std::weak_ptr<RedisStore*>& store) {
    const auto self = store.lock();
    return self ? *self : nullptr;
  }

  /// A lease that this machine may have without anybody here who would release it.
  void disown(LeaseOrder order);
  void release_disowned();

  const std::shared_ptr<RedisLinks> links_;
  const std::shared_ptr<SecretSource> password_;
  const std::chrono::milliseconds timeout_;
  const RedisParts parts_;
  std::shared_ptr<RedisQueue> queue_;
  Circuit circuit_;
  std::string down_because_;
  std::map<Operation, Refusal> refusals_;
  Calls calls_;
  std::deque<std::pair<common::BootTime, LeaseOrder>> disowned_;  // until it has run out
  common::Timer probe_timer_;
  /// See `there`.
  const std::shared_ptr<RedisStore*> self_ = std::make_shared<RedisStore*>(this);
};

}  // namespace grantd::daemon
