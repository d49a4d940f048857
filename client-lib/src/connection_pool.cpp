// Slots that are exchanged atomically instead of a list under a mutex: a mutex may be locked by another
// thread in the moment of a fork, and stays so in the child for ever. A slot is empty or whole, whenever the
// fork comes.
#include "client-lib/src/connection_pool.hpp"

#include <chrono>
#include <utility>

namespace grantd::detail {
namespace {

// Below the time after which the daemon closes idle connections on its side, so that descriptors are not
// hoarded.
constexpr std::chrono::seconds longest_idle{30};

}  // namespace

ConnectionPool::~ConnectionPool() {
  for (std::size_t i = 0; i < max_idle; ++i) drop(take_slot(i));
}

std::unique_ptr<Connection> ConnectionPool::take() {
  for (std::size_t i = 0; i < max_idle; ++i) {
    auto connection = take_slot(i);
    if (!connection) continue;
    if (connection->generation == generation_.current() && connection->is_quiet()) return connection;
    drop(std::move(connection));
  }
  return nullptr;
}

void ConnectionPool::keep(std::unique_ptr<Connection> connection) {
  connection->idle_since = std::chrono::steady_clock::now();
  for (std::size_t i = 0; i < max_idle && connection; ++i) put_slot(i, connection);
  if (connection) drop(std::move(connection));
  drop_one_unused();
}

void ConnectionPool::drop(std::unique_ptr<Connection> connection) {
  if (connection && connection->generation != generation_.current()) connection->abandon();
}

// The first slots are the ones in use; the others are looked at in turn, one at every call.
void ConnectionPool::drop_one_unused() {
  const std::size_t i = next_looked_at_.fetch_add(1, std::memory_order_relaxed) % max_idle;
  auto connection = take_slot(i);
  if (!connection) return;
  const auto idle = std::chrono::steady_clock::now() - connection->idle_since;
  if (idle > longest_idle || !put_slot(i, connection)) drop(std::move(connection));
}

std::unique_ptr<Connection> ConnectionPool::take_slot(std::size_t i) {
  if (!slots_[i].load(std::memory_order_relaxed)) return nullptr;
  return std::unique_ptr<Connection>{slots_[i].exchange(nullptr, std::memory_order_acq_rel)};
}

bool ConnectionPool::put_slot(std::size_t i, std::unique_ptr<Connection>& connection) {
  Connection* empty = nullptr;
  Connection* const kept = connection.release();
  if (slots_[i].compare_exchange_strong(empty, kept, std::memory_order_acq_rel)) return true;
  connection.reset(kept);
  return false;
}

}  // namespace grantd::detail
