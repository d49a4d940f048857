// getaddrinfo cannot be interrupted. A look-up that takes too long is given up: its thread is left to itself,
// and what it finds in the end reaches nobody. The mailbox between the two is what may outlive the loop.
#include "daemon/proxy/resolver.hpp"

#include <netdb.h>
#include <sys/socket.h>

#include <boost/asio/ip/address.hpp>
#include <cstring>
#include <mutex>
#include <utility>

namespace grantd::daemon {
namespace {

using common::ErrorCode;

constexpr std::chrono::seconds remembered_for{10};
constexpr std::size_t max_addresses = 16;

struct Found {
  Addresses addresses{};
  std::string reason{};  // why there are none
};

Found look_up(const std::string& host, std::uint16_t port) {
  addrinfo hints{};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_ADDRCONFIG | AI_NUMERICSERV;
  addrinfo* list = nullptr;
  Found found;
  if (const int failed = ::getaddrinfo(host.c_str(), std::to_string(port).c_str(), &hints, &list);
      failed != 0) {
    found.reason = ::gai_strerror(failed);
    return found;
  }
  for (const addrinfo* each = list; each != nullptr && found.addresses.size() < max_addresses;
       each = each->ai_next) {
    boost::asio::ip::tcp::endpoint endpoint;
    if (each->ai_addrlen > endpoint.capacity()) continue;
    endpoint.resize(each->ai_addrlen);
    std::memcpy(endpoint.data(), each->ai_addr, each->ai_addrlen);
    found.addresses.push_back(endpoint);
  }
  ::freeaddrinfo(list);
  alternate_families(found.addresses);
  if (found.addresses.empty()) found.reason = "it has no address";
  return found;
}

}  // namespace

/// One look-up and all who wait for it.
struct Resolver::Lookup {
  /// What the worker's thread holds: the way back to the loop, cut off when nobody wants the answer any more.
  struct Mailbox {
    std::mutex mutex;
    Loop* loop;                       // guarded by mutex; null: cut off
    std::weak_ptr<Lookup> addressee;  // the loop's thread only
  };

  std::shared_ptr<Mailbox> mailbox{};
  Workers::Ticket ticket{};
  std::unique_ptr<common::Timer> deadline{};
  std::list<Signal> waiting{};
  std::optional<common::Result<Addresses>> result{};
  std::function<void(Lookup&)> on_end{};

  void end(common::Result<Addresses> with) {
    if (result) return;
    result = std::move(with);
    deadline.reset();
    {
      const std::lock_guard lock{mailbox->mutex};
      mailbox->loop = nullptr;
    }
    ticket.abandon();
    if (on_end) std::exchange(on_end, nullptr)(*this);
    for (Signal& each : waiting) each.notify();
  }
};

Resolver::Resolver(Loop& loop, Workers& workers, std::string host, std::uint16_t port)
    : loop_(loop), workers_(workers), host_(std::move(host)), port_(port) {
  boost::system::error_code no_literal;
  const auto address = boost::asio::ip::make_address(host_, no_literal);
  if (no_literal) return;
  literal_ = true;
  known_.emplace_back(address, port_);
}

Resolver::~Resolver() { shut_down(); }

void Resolver::shut_down() {
  if (!lookup_) return;
  const auto ending = std::exchange(lookup_, nullptr);
  ending->on_end = nullptr;
  ending->end(common::fail(ErrorCode::api_unreachable, "the daemon is stopping"));
}

awaitable<common::Result<Addresses>> Resolver::resolve(std::chrono::milliseconds timeout) {
  if (literal_ || (!known_.empty() && loop_.timers().now() < known_until_)) co_return known_;
  if (!lookup_) start(timeout);
  const auto lookup = lookup_;
  const auto mine = lookup->waiting.emplace(lookup->waiting.end());
  while (!lookup->result) co_await mine->wait();
  lookup->waiting.erase(mine);
  co_return *lookup->result;
}

void Resolver::start(std::chrono::milliseconds timeout) {
  const auto lookup = std::make_shared<Lookup>();
  lookup_ = lookup;
  lookup->on_end = [this](Lookup& ended) {
    if (*ended.result) {
      known_ = **ended.result;
      known_until_ = loop_.timers().now() + remembered_for;
    }
    lookup_ = nullptr;
  };
  lookup->deadline =
      std::make_unique<common::Timer>(loop_.timers(), [weak = std::weak_ptr{lookup}, timeout, host = host_] {
        if (const auto late = weak.lock()) {
          late->end(common::fail(ErrorCode::api_timeout, "the name " + host + " was not resolved within " +
                                                             std::to_string(timeout.count()) + " ms"));
        }
      });
  lookup->deadline->arm_after(timeout);
  lookup->mailbox = std::make_shared<Lookup::Mailbox>();
  lookup->mailbox->loop = &loop_;
  lookup->mailbox->addressee = lookup;
  lookup->ticket = workers_.run([mailbox = lookup->mailbox, host = host_, port = port_] {
    Found found = look_up(host, port);
    const std::lock_guard lock{mailbox->mutex};
    if (mailbox->loop == nullptr) return;
    mailbox->loop->post([mailbox, host, found = std::move(found)]() mutable {
      const auto waiting = mailbox->addressee.lock();
      if (!waiting) return;
      if (!found.addresses.empty()) return waiting->end(std::move(found.addresses));
      waiting->end(common::fail(ErrorCode::api_unreachable,
                                "the name " + host + " could not be resolved: " + found.reason));
    });
  });
}

void alternate_families(Addresses& addresses) {
  Addresses first, other;
  for (const auto& address : addresses) {
    (address.protocol() == addresses.front().protocol() ? first : other).push_back(address);
  }
  addresses.clear();
  for (std::size_t i = 0; i < std::max(first.size(), other.size()); ++i) {
    if (i < first.size()) addresses.push_back(first[i]);
    if (i < other.size()) addresses.push_back(other[i]);
  }
}

}  // namespace grantd::daemon
