#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace grantd::daemon {

/// Where a handed-out token came from; the label values of `grantd_tokens_served_total`.
enum class TokenOrigin { cache, fetched, renewing };

/// The counters of one client definition. References stay valid as long as the Metrics; counting is cheap and
/// needs no look-up.
class ClientMetrics {
 public:
  virtual ~ClientMetrics() = default;
  virtual void token_served(TokenOrigin origin) = 0;
  /// `result` as ExchangeObserver has it.
  virtual void token_request(std::string_view result, std::chrono::nanoseconds duration) = 0;
};

class ApiMetrics {
 public:
  virtual ~ApiMetrics() = default;
  /// `status` of the response the caller got.
  virtual void request(int status) = 0;
  /// `reason` "401", "dpop-nonce" or "connection".
  virtual void retry(std::string_view reason) = 0;
};

/// All that /metrics shows, in prometheus-cpp's registry. Loop thread only.
class Metrics {
 public:
  Metrics();
  ~Metrics();

  ClientMetrics& client(const std::string& name);
  ApiMetrics& api(const std::string& name);
  void connection_opened();
  void connection_closed();
  void connection_refused();
  /// `event` "access_denied" or "token_handed_out".
  void audited(std::string_view event);
  void audit_line_left_out();

  /// One gauge value of `grantd_token_expires_in_seconds{client}`, asked for at each scrape.
  struct Expiry {
    std::string client;
    double seconds;
  };
  void on_collect_expiries(std::function<std::vector<Expiry>()> source);

  /// Prometheus text format 0.0.4.
  std::string render();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace grantd::daemon
