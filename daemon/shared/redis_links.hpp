#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <utility>

#include "daemon/crypto/trust_store.hpp"
#include "daemon/shared/redis_connection.hpp"

namespace grantd::daemon {

/// A place for one connection to a server, used by one worker at a time. What TLS needs is kept with it from
/// one connection to the next.
struct RedisLink {
  RedisAddress address;
  std::unique_ptr<RedisConnection> connection{};  // null: none is open
  common::BootTime used{};                        // when the server answered last
  std::uint64_t closings = 0;                     // of all, when it was taken

  /// What lies between may have forgotten an idle connection without a word to either end.
  static constexpr std::chrono::seconds longest_idle{25};
};

/// The places that no worker uses. Any thread.
class RedisLinks {
 public:
  /// Reads what TLS trusts, so that no operation has to: its time is short.
  explicit RedisLinks(config::RedisServer server) : server_(std::move(server)) {
    if (server_.tls) trusted_ = trust_store(std::nullopt).value_or(nullptr);
  }

  /// The one used last, or a new one.
  std::unique_ptr<RedisLink> take() {
    const std::lock_guard lock{mutex_};
    std::unique_ptr<RedisLink> link;
    if (idle_.empty()) {
      link = std::make_unique<RedisLink>(RedisLink{.address = {.server = server_}});
    } else {
      link = std::move(idle_.back());
      idle_.pop_back();
    }
    link->closings = closings_;
    return link;
  }
  void give_back(std::unique_ptr<RedisLink> link) {
    const std::lock_guard lock{mutex_};
    if (link->closings != closings_) link->connection.reset();
    if (idle_.size() < most_idle) idle_.push_back(std::move(link));
  }
  /// Closes what is open here, and what is in use once it is given back.
  void close_all() {
    const std::lock_guard lock{mutex_};
    ++closings_;
    for (const auto& link : idle_) link->connection.reset();
  }

 private:
  static constexpr std::size_t most_idle = 4;

  const config::RedisServer server_;
  std::shared_ptr<x509_store_st> trusted_;  // kept for every connection to come
  std::mutex mutex_;
  std::uint64_t closings_ = 0;                   // guarded by the mutex
  std::deque<std::unique_ptr<RedisLink>> idle_;  // guarded by the mutex; the one used last at the back
};

}  // namespace grantd::daemon
