#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/clock.hpp"
#include "daemon/metrics/client_metrics.hpp"

namespace grantd::daemon {

class ApiMetrics {
 public:
  virtual ~ApiMetrics() = default;
  /// `status` of the response the caller got.
  virtual void request(int status) = 0;
  /// `reason` "401", "dpop-nonce" or "connection".
  virtual void retry(std::string_view reason) = 0;
};

/// What is counted of the cache that machines share.
class SharedCacheMetrics {
 public:
  virtual ~SharedCacheMetrics() = default;
  /// One command to the store: `operation` "look_up", "lease", "write" or "delete", `result` "ok", "refused",
  /// "timeout" or "error".
  virtual void operation(std::string_view operation, std::string_view result) = 0;
  /// One token wanted, and whether another machine had it.
  virtual void looked_up(bool hit) = 0;
  /// `reason` "version", "seal", "form" or "future".
  virtual void entry_refused(std::string_view reason) = 0;
};

/// What a definition is like at the moment of a scrape.
struct ClientFigures {
  std::string client{};
  /// Until its own token expires; none without a valid one.
  std::optional<std::chrono::seconds> expires_in{};
  /// Whether its last attempt to get a token failed.
  bool failing = false;
};

/// All that /metrics shows. Loop thread only, but for what `collect` returns.
class Metrics {
 public:
  /// `started`: when the process was.
  explicit Metrics(common::WallTime started);
  ~Metrics();

  /// Both are valid as long as this.
  ClientMetrics& client(const std::string& name);
  ApiMetrics& api(const std::string& name);
  /// Exported from the first call on.
  SharedCacheMetrics& shared_cache();
  void connection_opened();
  void connection_closed();
  void connection_refused();
  void connections_limited_to(std::size_t limit);
  void page_passed();
  /// `reason` "not_held", "unread" or "refused".
  void page_withheld(std::string_view reason);
  void reloaded(bool success);
  /// `event` "access_denied" or "token_handed_out".
  void audited(std::string_view event);
  void audit_line_left_out();

  /// `source` is asked at each scrape for all the definitions there are: others have no gauges.
  void on_collect_clients(std::function<std::vector<ClientFigures>()> source);

  /// The same for whether the shared cache is in use; nothing where none is configured.
  void on_collect_shared_cache(std::function<std::optional<bool>()> source);

  /// Notes what is to be shown now. What is returned writes it as Prometheus text format 0.0.4, once, in any
  /// thread: with thousands of clients that takes a good part of a second.
  std::move_only_function<std::string()> collect();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace grantd::daemon
