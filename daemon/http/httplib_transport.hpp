#pragma once

#include <list>
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
  using Calls = std::list<std::shared_ptr<Call>>;
  void finish(std::shared_ptr<Call> call, std::expected<HttpResponse, TransportError> result);
  std::shared_ptr<TlsContext> take_context(const std::string& key);
  void keep_context(const std::string& key, std::shared_ptr<TlsContext> context);

  Loop& loop_;
  Workers& workers_;
  const common::Clock& clock_;
  Calls calls_;
  /// TLS contexts that no worker uses, by host and files as they are on disk; the newest last.
  std::list<std::pair<std::string, std::shared_ptr<TlsContext>>> contexts_;
};

}  // namespace grantd::daemon
