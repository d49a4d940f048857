#pragma once

#include <atomic>
#include <functional>
#include <future>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <thread>

#include "daemon/proxy/proxy_handler.hpp"
#include "tests/fakes/fixed_entropy.hpp"
#include "tests/fakes/log_recorder.hpp"
#include "tests/unit/proxy/scripted_api.hpp"
#include "tests/unit/proxy/test_session.hpp"

namespace grantd::tests {

inline constexpr std::string_view get = "GET /test HTTP/1.1\r\nHost: invoices\r\n\r\n";
inline constexpr std::string_view ok = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

inline bool has(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
}

/// Makes tokens "token-1", "token-2"... of versions "v1", "v2"..., or always the first.
class NumberedTokens final : public daemon::TokenFetcher {
 public:
  explicit NumberedTokens(daemon::Loop& loop) : loop_(loop) {}
  void fetch(const daemon::Variant& variant, std::shared_ptr<const daemon::FetchWish> wish,
             Done done) override;
  void fetch_with_assertion(const daemon::Variant& variant, common::Secret assertion, Done done) override;
  bool credentials_changed() const override { return false; }

  std::atomic<int> fetched = 0;
  std::atomic<bool> same_again = false;
  std::atomic<bool> fail = false;

 private:
  daemon::Loop& loop_;
};

/// What was counted for the API.
struct CountedMetrics final : daemon::ApiMetrics {
  void request(int status) override { ++statuses[status]; }
  void retry(std::string_view reason) override { ++retries[std::string{reason}]; }
  std::map<int, int> statuses;
  std::map<std::string, int> retries;
};

/// A loop on a thread of its own with a proxy for one API, "invoices". Callers are connected sockets.
class ProxyFixture {
 public:
  /// `change` may adjust the API's settings before they are used.
  explicit ProxyFixture(std::uint16_t port, std::function<void(config::ApiSettings&)> change = {});
  ~ProxyFixture();

  BlockingSocket caller();
  /// One request on a connection of its own, up to the end of the response's body by Content-Length.
  std::string call(std::string_view request);
  /// Runs `action` on the loop's thread and waits for it.
  void on_loop(std::function<void()> action);
  /// Puts another catalog in force, with other settings.
  void reload(std::function<void(config::ApiSettings&)> change);
  int count(int status);
  int retries(const std::string& reason);
  /// Whether `condition`, asked on the loop's thread, becomes true within the deadline.
  bool comes_true(std::function<bool()> condition);

  std::atomic<bool> body_was_asked_for = false;
  common::SystemClock clock;
  FixedEntropy entropy;
  LogRecorder log;
  CountedMetrics metrics;
  daemon::ClientMetrics client_metrics;
  daemon::Loop loop{clock};
  daemon::AuditLog audit{loop.timers(), log, [](daemon::AuditLog::Event, bool) {}};
  daemon::Workers workers{2, 2};
  std::shared_ptr<NumberedTokens> tokens = std::make_shared<NumberedTokens>(loop);
  daemon::CurrentCatalog catalog;
  std::unique_ptr<daemon::ProxyHandler> proxy;

 private:
  daemon::awaitable<void> serve(std::unique_ptr<TestSession> session);
  std::shared_ptr<daemon::Catalog> make_catalog(std::shared_ptr<const config::ApiSettings> api);
  std::shared_ptr<daemon::CatalogClient> client_;
  config::ApiSettings settings_;
  std::set<TestSession*> sessions_;  // the loop's thread
  std::thread thread_;
};

}  // namespace grantd::tests
