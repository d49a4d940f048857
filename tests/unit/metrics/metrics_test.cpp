#include <doctest/doctest.h>

#include <future>
#include <string>

#include "daemon/metrics/metrics.hpp"

using namespace std::chrono_literals;
using grantd::daemon::ClientFigures;
using grantd::daemon::Metrics;
using grantd::daemon::TokenOrigin;

namespace {

const grantd::common::WallTime start{1'700'000'000s + 250ms};

// The value of a sample as it is written; empty where there is no such sample.
std::string sample(Metrics& metrics, const std::string& name) {
  const std::string text = "\n" + metrics.collect()();
  const auto begin = text.find("\n" + name + " ");
  if (begin == std::string::npos) return {};
  const auto value = begin + 1 + name.size() + 1;
  return text.substr(value, text.find('\n', value) - value);
}

}  // namespace

TEST_CASE("metrics: a client shows zeros before anything happened") {
  Metrics metrics{start};
  metrics.client("catalog.client");
  for (const char* source : {"cache", "fetched", "renewing", "shared"}) {
    CHECK(sample(metrics, std::string{"grantd_tokens_served_total{client=\"catalog.client\",source=\""} +
                              source + "\"}") == "0");
  }
  for (const char* result :
       {"success", "oauth_error", "http_error", "transport_error", "timeout", "invalid_response"}) {
    CHECK(sample(metrics, std::string{"grantd_token_requests_total{client=\"catalog.client\",result=\""} +
                              result + "\"}") == "0");
  }
  CHECK(sample(metrics, "grantd_token_request_duration_seconds_count{client=\"catalog.client\"}") == "0");
}

TEST_CASE("metrics: tokens served are counted by client and source") {
  Metrics metrics{start};
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

TEST_CASE("metrics: the shared cache shows zeros from the moment it is there, and then what happens") {
  Metrics metrics{start};
  CHECK(metrics.collect()().find("grantd_shared_cache") == std::string::npos);
  auto& shared = metrics.shared_cache();
  CHECK(sample(metrics, "grantd_shared_cache_operations_total{operation=\"write\",result=\"refused\"}") ==
        "0");
  CHECK(sample(metrics, "grantd_shared_cache_refused_entries_total{reason=\"seal\"}") == "0");
  shared.looked_up(true);
  shared.operation("write", "refused");
  shared.entry_refused("seal");
  CHECK(&metrics.shared_cache() == &shared);
  CHECK(sample(metrics, "grantd_shared_cache_lookups_total{result=\"hit\"}") == "1");
  CHECK(sample(metrics, "grantd_shared_cache_lookups_total{result=\"miss\"}") == "0");
  CHECK(sample(metrics, "grantd_shared_cache_operations_total{operation=\"write\",result=\"refused\"}") ==
        "1");
  CHECK(sample(metrics, "grantd_shared_cache_refused_entries_total{reason=\"seal\"}") == "1");
}

TEST_CASE("metrics: whether the shared cache is in use is asked at each scrape") {
  Metrics metrics{start};
  std::optional<bool> in_use;
  metrics.on_collect_shared_cache([&in_use] { return in_use; });
  CHECK(metrics.collect()().find("grantd_shared_cache_up") == std::string::npos);
  in_use = true;
  CHECK(sample(metrics, "grantd_shared_cache_up") == "1");
  in_use = false;
  CHECK(sample(metrics, "grantd_shared_cache_up") == "0");
}

TEST_CASE("metrics: a client asked for again goes on counting") {
  Metrics metrics{start};
  metrics.client("a").token_served(TokenOrigin::cache);
  metrics.client("a").token_served(TokenOrigin::cache);
  CHECK(sample(metrics, "grantd_tokens_served_total{client=\"a\",source=\"cache\"}") == "2");
}

TEST_CASE("metrics: token requests are counted by result and timed in seconds") {
  Metrics metrics{start};
  auto& client = metrics.client("a");
  metrics.client("b");
  const std::vector<std::string> results{"success",         "oauth_error", "http_error",
                                         "transport_error", "timeout",     "invalid_response"};
  for (std::size_t i = 0; i < results.size(); ++i) {
    for (std::size_t times = 0; times <= i; ++times) client.token_request(results[i], 40ms);
  }
  for (std::size_t i = 0; i < results.size(); ++i) {
    const std::string family = "grantd_token_requests_total";
    CHECK(sample(metrics, family + "{client=\"a\",result=\"" + results[i] + "\"}") == std::to_string(i + 1));
    CHECK(sample(metrics, family + "{client=\"b\",result=\"" + results[i] + "\"}") == "0");
  }
  client.token_request("timeout", 10s + 1ms);
  const std::string histogram = "grantd_token_request_duration_seconds";
  CHECK(sample(metrics, histogram + "_count{client=\"a\"}") == "22");
  CHECK(sample(metrics, histogram + "_bucket{client=\"a\",le=\"0.025\"}") == "0");
  CHECK(sample(metrics, histogram + "_bucket{client=\"a\",le=\"0.05\"}") == "21");
  CHECK(sample(metrics, histogram + "_bucket{client=\"a\",le=\"10\"}") == "21");
  CHECK(sample(metrics, histogram + "_bucket{client=\"a\",le=\"+Inf\"}") == "22");
}

TEST_CASE("metrics: proxied requests and retries are counted by API") {
  Metrics metrics{start};
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
  Metrics metrics{start};
  CHECK(sample(metrics, "grantd_connections") == "0");
  metrics.connection_opened();
  metrics.connection_opened();
  metrics.connection_closed();
  metrics.connection_refused();
  CHECK(sample(metrics, "grantd_connections") == "1");
  CHECK(sample(metrics, "grantd_connections_opened_total") == "2");
  CHECK(sample(metrics, "grantd_connections_refused_total") == "1");
}

TEST_CASE("metrics: pages are counted as passed, or as withheld by reason, from 0 on") {
  Metrics metrics{start};
  metrics.page_passed();
  metrics.page_withheld("unread");
  metrics.page_withheld("unread");
  CHECK(sample(metrics, "grantd_pages_passed_total") == "1");
  CHECK(sample(metrics, "grantd_pages_withheld_total{reason=\"unread\"}") == "2");
  CHECK(sample(metrics, "grantd_pages_withheld_total{reason=\"not_held\"}") == "0");
  CHECK(sample(metrics, "grantd_pages_withheld_total{reason=\"refused\"}") == "0");
}

TEST_CASE("metrics: the limit of connections is the one in force") {
  Metrics metrics{start};
  metrics.connections_limited_to(4096);
  CHECK(sample(metrics, "grantd_connections_limit") == "4096");
  metrics.connections_limited_to(100);
  CHECK(sample(metrics, "grantd_connections_limit") == "100");
}

TEST_CASE("metrics: reloads are counted by how they ended, from zero") {
  Metrics metrics{start};
  CHECK(sample(metrics, "grantd_reloads_total{result=\"success\"}") == "0");
  CHECK(sample(metrics, "grantd_reloads_total{result=\"refused\"}") == "0");
  metrics.reloaded(true);
  metrics.reloaded(false);
  metrics.reloaded(false);
  CHECK(sample(metrics, "grantd_reloads_total{result=\"success\"}") == "1");
  CHECK(sample(metrics, "grantd_reloads_total{result=\"refused\"}") == "2");
}

TEST_CASE("metrics: the start of the process is told in Unix time, to the fraction") {
  Metrics metrics{start};
  CHECK(sample(metrics, "process_start_time_seconds") == "1700000000.25");
}

TEST_CASE("metrics: a client's figures are asked for at each scrape and go with the token or the client") {
  Metrics metrics{start};
  std::vector<ClientFigures> figures{{.client = "a", .expires_in = 30s, .failing = true},
                                     {.client = "b", .expires_in = 5s},
                                     {.client = "c", .failing = true}};
  metrics.on_collect_clients([&] { return figures; });
  const auto expires_in = [&](const std::string& client) {
    return sample(metrics, "grantd_token_expires_in_seconds{client=\"" + client + "\"}");
  };
  const auto failing = [&](const std::string& client) {
    return sample(metrics, "grantd_client_failing{client=\"" + client + "\"}");
  };
  CHECK(expires_in("a") == "30");
  CHECK(failing("a") == "1");
  CHECK(expires_in("b") == "5");
  CHECK(failing("b") == "0");
  CHECK(expires_in("c").empty());
  CHECK(failing("c") == "1");
  figures = {{.client = "a"}, {.client = "c", .expires_in = 60s}};
  CHECK(expires_in("a").empty());
  CHECK(failing("a") == "0");
  CHECK(expires_in("b").empty());
  CHECK(failing("b").empty());
  CHECK(expires_in("c") == "60");
  CHECK(failing("c") == "0");
  figures = {{.client = "b", .expires_in = 7s, .failing = true}};
  CHECK(expires_in("b") == "7");
  CHECK(failing("b") == "1");
  CHECK(failing("a").empty());
  CHECK(expires_in("c").empty());
}

TEST_CASE("metrics: what is collected is as it was then, in whatever thread it is written") {
  Metrics metrics{start};
  auto& client = metrics.client("a");
  client.token_served(TokenOrigin::cache);
  client.token_request("success", 30ms);
  metrics.connection_opened();
  std::future<std::string> text;
  {
    auto write = metrics.collect();
    text = std::async(std::launch::async, std::move(write));
  }
  for (int i = 0; i < 1000; ++i) {
    client.token_served(TokenOrigin::cache);
    client.token_request("success", 30ms);
    metrics.client(std::to_string(i));
    metrics.connection_closed();
  }
  const std::string then = text.get();
  for (const auto* line :
       {"grantd_tokens_served_total{client=\"a\",source=\"cache\"} 1\n",
        "grantd_token_requests_total{client=\"a\",result=\"success\"} 1\n",
        "grantd_token_request_duration_seconds_bucket{client=\"a\",le=\"0.025\"} 0\n",
        "grantd_token_request_duration_seconds_bucket{client=\"a\",le=\"0.05\"} 1\n",
        "grantd_token_request_duration_seconds_bucket{client=\"a\",le=\"+Inf\"} 1\n",
        "grantd_token_request_duration_seconds_sum{client=\"a\"} 0.03\n", "grantd_connections 1\n"}) {
    CHECK(then.find(line) != std::string::npos);
  }
}

TEST_CASE("metrics: a label value cannot break out of its quotes") {
  Metrics metrics{start};
  metrics.client("a\"} 7\nb\\").token_served(TokenOrigin::cache);
  CHECK(sample(metrics, "grantd_tokens_served_total{client=\"a\\\"} 7\\nb\\\\\",source=\"cache\"}") == "1");
}

TEST_CASE("metrics: the build tells its version, and every family says what it is") {
  Metrics metrics{start};
  CHECK(sample(metrics, "grantd_build_info{version=\"" GRANTD_VERSION "\"}") == "1");
  const std::string text = metrics.collect()();
  CHECK(text.find("# TYPE grantd_connections gauge\n") != std::string::npos);
  CHECK(text.find("# TYPE grantd_connections_opened_total counter\n") != std::string::npos);
  CHECK(text.find("# HELP grantd_connections ") != std::string::npos);
}
