#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <stop_token>
#include <string>
#include <string_view>

#include "client-lib/src/call_wait.hpp"
#include "client-lib/src/connection_pool.hpp"
#include "client-lib/src/outgoing_request.hpp"
#include "client-lib/src/page_cache.hpp"
#include "client-lib/src/response_head.hpp"
#include "grantd/client.hpp"

namespace grantd::detail {

/// Takes one response as it arrives. What it throws ends the call and reaches its caller.
class ResponseTaker {
 public:
  virtual ~ResponseTaker() = default;
  virtual void head(const ResponseHead& head) = 0;
  virtual void body(std::string_view piece) = 0;
  /// Was passed with the response.
  virtual void descriptor(OwnDescriptor /*passed*/) {}
  /// The response has broken off after its head.
  [[noreturn]] virtual void broken_off() = 0;
};

/// Carries requests to the daemon and responses back, over connections that are kept. Callable from many
/// threads. Everything it throws is an Error, besides what a taker or source throws.
class Connector {
 public:
  explicit Connector(const ClientOptions& options);

  /// One request and its response. Connects where no kept connection will do; sends again where that can do
  /// no harm; see grantd::Client.
  void run(const OutgoingRequest& request, ResponseTaker& taker, std::stop_token stop);

  const std::string& socket() const { return socket_; }
  PageCache& pages() { return pages_; }

 private:
  /// How an attempt failed before anything of a response had come.
  struct Lost {
    bool processed = false;  // the daemon may have begun with it
    bool source_used = false;
  };

  std::unique_ptr<Connection> connect(CallWait& wait);
  std::chrono::milliseconds patience_left();
  bool attempt(std::unique_ptr<Connection>& connection, const OutgoingRequest& request, ResponseTaker& taker,
               CallWait& wait, Lost& lost);
  [[noreturn]] void throw_unreachable(std::string_view reason) const;

  std::string socket_;
  std::chrono::milliseconds timeout_;
  ConnectionPool pool_;
  PageCache pages_;
  /// Whether there ever was a daemon, and since when (steady clock, ns) there is none; 0: there is one.
  std::atomic<bool> was_there_ = false;
  std::atomic<std::int64_t> gone_since_ = 0;
};

}  // namespace grantd::detail
