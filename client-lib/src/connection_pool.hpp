#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <memory>

#include "client-lib/src/connection.hpp"
#include "client-lib/src/fork_generation.hpp"

namespace grantd::detail {

/// Idle connections, to be used again. Callable from any thread and on both sides of a fork: a child closes
/// its copies of its parent's connections and never uses them.
class ConnectionPool {
 public:
  ConnectionPool() = default;
  ~ConnectionPool();
  ConnectionPool(const ConnectionPool&) = delete;
  ConnectionPool& operator=(const ConnectionPool&) = delete;

  /// A connection of this process that is open and quiet; null where there is none.
  std::unique_ptr<Connection> take();
  /// Keeps a connection for later, or drops it where enough are kept.
  void keep(std::unique_ptr<Connection> connection);
  /// Marks a connection as this process's.
  void adopt(Connection& connection) { connection.generation = generation_.current(); }
  /// Drops a connection that is not to be used again; in a child, without disturbing the parent's.
  void drop(std::unique_ptr<Connection> connection);

 private:
  static constexpr std::size_t max_idle = 64;

  std::unique_ptr<Connection> take_slot(std::size_t i);
  bool put_slot(std::size_t i, std::unique_ptr<Connection>& connection);
  void drop_one_unused();

  ForkGeneration generation_;
  std::array<std::atomic<Connection*>, max_idle> slots_{};
  std::atomic<std::size_t> next_looked_at_ = 0;
};

}  // namespace grantd::detail
