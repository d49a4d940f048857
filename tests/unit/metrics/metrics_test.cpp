#include <doctest/doctest.h>

#include "daemon/metrics/metrics.hpp"

using namespace std::chrono_literals;
using grantd::daemon::Metrics;
using grantd::daemon::TokenOrigin;

namespace {

// The value of a sample as it is written; empty where there is no such sample.
std::string sample(Metrics& metrics, const std::string& name) {
  const std::string text = "\n" + metrics.render();
  const auto begin = text.find("\n" + name + " ");
  if (begin == std::string::npos) return {};
  const auto value = begin + 1 + name.size() + 1;
  return text.substr(value, text.find('\n', value) - value);
}

}  // namespace

TEST_CASE("metrics: a client shows zeros before anything happened") {
  Metrics metrics;
  metrics.client("catalog.client");
  for (const char* source : {"cache", "fetched", "renewing"}) {
    CHECK(sample(metrics, std::string{"grantd_tokens_served_total{client=\"catalog.client\",source=\""} +
                              source + "\"}") == "0");
  }
  CHECK(sample(metrics, "grantd_token_request_duration_seconds_count{client=\"catalog.client\"}") == "0");
}

TEST_CASE("metrics: tokens served are counted by client and source") {
  Metrics metrics;
  auto& client = metrics.client("a");
  client.token_served(TokenOrigin::cache);
  client.token_served(TokenOrigin::cache);
  client.token_served(TokenOrigin::fetched);
  metrics.client("b").token_served(TokenOrigin::renewing);
  CHECK(sample(metrics, "grantd_tokens_served_total{client=\"a\",source=\"cache\"}") == "2");
  CHECK(sample(metrics, "grantd_tokens_served_total{client=\"a\",source=\"fetched\"}") == "1");
  CHECK(sample(metrics, "grantd_tokens_served_total{client=\"a\",source=\"renewing\"}") == "0");
  CHECK(sample(metrics, "grantd_tokens_served_total{client=\"b\",source=\"renewing\"}") == "1");
}

TEST_CASE("metrics: a client asked for again goes on counting") {
  Metrics metrics;
  metrics.client("a").token_served(TokenOrigin::cache);
  metrics.client("a").token_served(TokenOrigin::cache);
  CHECK(sample(metrics, "grantd_tokens_served_total{client=\"a\",source=\"cache\"}") == "2");
}

TEST_CASE("metrics: token requests are counted by result and timed in seconds") {
  Metrics metrics;
  auto& client = metrics.client("a");
  client.token_request("success", 40ms);
  client.token_request("timeout", 10s + 1ms);
  CHECK(sample(metrics, "grantd_token_requests_total{client=\"a\",result=\"success\"}") == "1");
  CHECK(sample(metrics, "grantd_token_requests_total{client=\"a\",result=\"timeout\"}") == "1");
  const std::string histogram = "grantd_token_request_duration_seconds";
  CHECK(sample(metrics, histogram + "_count{client=\"a\"}") == "2");
  CHECK(sample(metrics, histogram + "_bucket{client=\"a\",le=\"0.025\"}") == "0");
  CHECK(sample(metrics, histogram + "_bucket{client=\"a\",le=\"0.05\"}") == "1");
  CHECK(sample(metrics, histogram + "_bucket{client=\"a\",le=\"10\"}") == "1");
  CHECK(sample(metrics, histogram + "_bucket{client=\"a\",le=\"+Inf\"}") == "2");
}

TEST_CASE("metrics: proxied requests and retries are counted by API") {
  Metrics metrics;
  auto& api = metrics.api("invoices");
  api.request(200);
  api.request(200);
  api.request(404);
  api.retry("401");
  CHECK(sample(metrics, "grantd_api_requests_total{api=\"invoices\",status=\"200\"}") == "2");
  CHECK(sample(metrics, "grantd_api_requests_total{api=\"invoices\",status=\"404\"}") == "1");
  CHECK(sample(metrics, "grantd_api_retries_total{api=\"invoices\",reason=\"401\"}") == "1");
}

TEST_CASE("metrics: connections are counted as they come and go") {
  Metrics metrics;
  CHECK(sample(metrics, "grantd_connections") == "0");
  metrics.connection_opened();
  metrics.connection_opened();
  metrics.connection_closed();
  metrics.connection_refused();
  CHECK(sample(metrics, "grantd_connections") == "1");
  CHECK(sample(metrics, "grantd_connections_opened_total") == "2");
  CHECK(sample(metrics, "grantd_connections_refused_total") == "1");
}

TEST_CASE("metrics: seconds to expiry are asked for at each scrape and go with the token") {
  Metrics metrics;
  std::vector<Metrics::Expiry> expiries{{.client = "a", .seconds = 30}, {.client = "b", .seconds = 5}};
  metrics.on_collect_expiries([&] { return expiries; });
  CHECK(sample(metrics, "grantd_token_expires_in_seconds{client=\"a\"}") == "30");
  CHECK(sample(metrics, "grantd_token_expires_in_seconds{client=\"b\"}") == "5");
  expiries = {{.client = "a", .seconds = 29}};
  CHECK(sample(metrics, "grantd_token_expires_in_seconds{client=\"a\"}") == "29");
  CHECK(sample(metrics, "grantd_token_expires_in_seconds{client=\"b\"}").empty());
}

TEST_CASE("metrics: a label value cannot break out of its quotes") {
  Metrics metrics;
  metrics.client("a\"} 7\nb\\").token_served(TokenOrigin::cache);
  CHECK(sample(metrics, "grantd_tokens_served_total{client=\"a\\\"} 7\\nb\\\\\",source=\"cache\"}") == "1");
}

TEST_CASE("metrics: the build tells its version, and every family says what it is") {
  Metrics metrics;
  CHECK(sample(metrics, "grantd_build_info{version=\"" GRANTD_VERSION "\"}") == "1");
  const std::string text = metrics.render();
  CHECK(text.find("# TYPE grantd_connections gauge\n") != std::string::npos);
  CHECK(text.find("# TYPE grantd_connections_opened_total counter\n") != std::string::npos);
  CHECK(text.find("# HELP grantd_connections ") != std::string::npos);
}
