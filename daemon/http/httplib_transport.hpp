#pragma once

#include <deque>
#include <list>
#include <map>
#include <memory>
#include <string>

#include "daemon/crypto/tls_context.hpp"
#include "daemon/http/transport.hpp"
#include "daemon/loop/loop.hpp"
#include "daemon/loop/workers.hpp"

namespace grantd::daemon {

/// Sends requests from worker threads, one a request. Gives a worker up that is still in a name lookup when
/// the deadline passes. Loop thread only.
class HttplibTransport final : public Transport {
 public:
  /// All outlive the transport, and the transport every worker's job.
  HttplibTransport(Loop& loop, Workers& workers, const common::Clock& clock);
  ~HttplibTransport() override;

  void send(HttpRequest request, TransportOptions options, common::BootTime deadline, Done done) override;

 private:
  struct Call;
  /// One host and port: its requests under way, and those that wait for one of them to end, so that a server
  /// that hangs leaves workers for the others.
  struct Destination {
    std::size_t running = 0;
    std::deque<std::weak_ptr<Call>> waiting{};
  };
  void start(const std::shared_ptr<Call>& call);
  void release(Call& call);
  using Calls = std::list<std::shared_ptr<Call>>;
  void finish(std::shared_ptr<Call> call, std::expected<HttpResponse, TransportError> result);
  /// A context for connections to one host, and what its files were like when it was made.
  struct KeptContext {
    std::string host{};
    config::TlsSettings settings{};
    std::string files{};
    std::shared_ptr<TlsContext> context{};  // null: to be made
  };
  KeptContext take_context(const std::string& host, const config::TlsSettings& settings);
  void keep_context(KeptContext kept);
  /// Makes the context anew where its files have changed. For a worker's thread.
  static std::expected<void, TransportError> renew(KeptContext& kept);

  Loop& loop_;
  Workers& workers_;
  const common::Clock& clock_;
  Calls calls_;
  std::map<std::string, Destination> destinations_;
  /// Those that no worker uses; the newest last.
  std::list<KeptContext> contexts_;
};

}  // namespace grantd::daemon
