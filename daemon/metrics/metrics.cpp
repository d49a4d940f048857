// prometheus-cpp looks a label set up in a hash table under a lock; on the way of a cached token that would
// be the most expensive step. So every counter is looked up once and kept by reference. What has many series
// for each client, few of which ever move, is kept as plain numbers and becomes samples at a scrape: a series
// in the registry takes about 400 bytes, and there may be thousands of clients.
#include "daemon/metrics/metrics.hpp"

#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/metric_family.h>
#include <prometheus/registry.h>
#include <prometheus/text_serializer.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <map>
#include <utility>

#include "daemon/metrics/names.hpp"

namespace grantd::daemon {

namespace {

using CounterFamily = prometheus::Family<prometheus::Counter>;
using GaugeFamily = prometheus::Family<prometheus::Gauge>;
using HistogramFamily = prometheus::Family<prometheus::Histogram>;

const prometheus::Histogram::BucketBoundaries duration_buckets{0.005, 0.01, 0.025, 0.05, 0.1, 0.25,
                                                               0.5,   1.0,  2.5,   5.0,  10.0};

// As ExchangeObserver has them.
constexpr std::array<const char*, 6> request_results{"success",         "oauth_error", "http_error",
                                                     "transport_error", "timeout",     "invalid_response"};

CounterFamily& counter(prometheus::Registry& registry, const char* name, const char* help) {
  return prometheus::BuildCounter().Name(name).Help(help).Register(registry);
}

GaugeFamily& gauge(prometheus::Registry& registry, const char* name, const char* help) {
  return prometheus::BuildGauge().Name(name).Help(help).Register(registry);
}

class ClientCounters final : public ClientMetrics {
 public:
  ClientCounters(const std::string& client, CounterFamily& served, HistogramFamily& durations)
      : served_{&served.Add({{"client", client}, {"source", "cache"}}),
                &served.Add({{"client", client}, {"source", "fetched"}}),
                &served.Add({{"client", client}, {"source", "renewing"}}),
                &served.Add({{"client", client}, {"source", "shared"}})},
        duration_(durations.Add({{"client", client}}, duration_buckets)) {}

  void token_served(TokenOrigin origin) override { served_[static_cast<std::size_t>(origin)]->Increment(); }

  void token_request(std::string_view result, std::chrono::nanoseconds duration) override {
    duration_.Observe(std::chrono::duration<double>(duration).count());
    const auto known = std::ranges::find(request_results, result);
    if (known == request_results.end()) return;
    ++requests_[static_cast<std::size_t>(known - request_results.begin())];
  }

  /// By request_results.
  const std::array<std::uint64_t, request_results.size()>& requests() const { return requests_; }

 private:
  const std::array<prometheus::Counter*, 4> served_;  // by TokenOrigin
  std::array<std::uint64_t, request_results.size()> requests_{};
  prometheus::Histogram& duration_;
};

class ApiCounters final : public ApiMetrics {
 public:
  ApiCounters(std::string api, CounterFamily& requests, CounterFamily& retries)
      : api_(std::move(api)), requests_(requests), retries_(retries) {}

  void request(int status) override {
    auto& known = by_status_[status];
    if (known == nullptr) known = &requests_.Add({{"api", api_}, {"status", std::to_string(status)}});
    known->Increment();
  }
  void retry(std::string_view reason) override {
    retries_.Add({{"api", api_}, {"reason", std::string{reason}}}).Increment();
  }

 private:
  const std::string api_;
  CounterFamily& requests_;
  CounterFamily& retries_;
  std::map<int, prometheus::Counter*> by_status_;
};

class SharedCacheCounters final : public SharedCacheMetrics {
 public:
  explicit SharedCacheCounters(prometheus::Registry& registry)
      : operations_(counter(registry, metric_names::shared_cache_operations,
                            "Operations on the shared cache by how they ended")),
        lookups_(counter(registry, metric_names::shared_cache_lookups,
                         "Tokens looked for in the shared cache by whether it had them")),
        refused_(counter(registry, metric_names::shared_cache_refused_entries,
                         "Entries of the shared cache that were not used by what is wrong with them")) {
    // There from the start, so that the first one is a rise from 0.
    for (const char* operation : {"look_up", "lease", "write", "delete"}) {
      for (const char* result : {"ok", "refused", "timeout", "error"})
        operations_.Add({{"operation", operation}, {"result", result}});
    }
    for (const char* result : {"hit", "miss"}) lookups_.Add({{"result", result}});
    for (const char* reason : {"version", "seal", "form", "future"}) refused_.Add({{"reason", reason}});
  }

  void operation(std::string_view operation, std::string_view result) override {
    operations_.Add({{"operation", std::string{operation}}, {"result", std::string{result}}}).Increment();
  }
  void looked_up(bool hit) override { lookups_.Add({{"result", hit ? "hit" : "miss"}}).Increment(); }
  void entry_refused(std::string_view reason) override {
    refused_.Add({{"reason", std::string{reason}}}).Increment();
  }

 private:
  CounterFamily& operations_;
  CounterFamily& lookups_;
  CounterFamily& refused_;
};

using Families = std::vector<prometheus::MetricFamily>;

// Samples that the registry does not hold.
prometheus::MetricFamily family(const char* name, const char* help, prometheus::MetricType type) {
  return {.name = name, .help = help, .type = type, .metric = {}};
}

prometheus::ClientMetric sample_of(const std::string& client) {
  prometheus::ClientMetric sample;
  sample.label.push_back({.name = "client", .value = client});
  return sample;
}

void add_gauge(prometheus::MetricFamily& family, const std::string& client, double value) {
  family.metric.push_back(sample_of(client));
  family.metric.back().gauge.value = value;
}

}  // namespace

struct Metrics::State {
  prometheus::Registry registry;
  HistogramFamily& durations = prometheus::BuildHistogram()
                                   .Name(metric_names::token_request_duration)
                                   .Help("Duration of one exchange with a token endpoint")
                                   .Register(registry);
  CounterFamily& served =
      counter(registry, metric_names::tokens_served, "Tokens handed out by where they came from");
  CounterFamily& api_requests = counter(registry, metric_names::api_requests,
                                        "Requests through the proxy by the status the caller got");
  CounterFamily& api_retries =
      counter(registry, metric_names::api_retries, "Requests that were sent to an API once more");
  prometheus::Gauge& connections =
      gauge(registry, metric_names::connections, "Open local connections").Add({});
  prometheus::Gauge& connections_limit =
      gauge(registry, metric_names::connections_limit, "Open local connections allowed: max_connections")
          .Add({});
  prometheus::Counter& opened =
      counter(registry, metric_names::connections_opened, "Local connections accepted").Add({});
  prometheus::Counter& refused =
      counter(registry, metric_names::connections_refused, "Local connections refused for a limit").Add({});

  CounterFamily& audited = counter(registry, metric_names::audit_events,
                                   "Callers refused, and tokens first handed out to a user and unit");
  prometheus::Counter& audit_lines_left_out =
      counter(registry, metric_names::audit_lines_left_out, "Audit events past what is logged of one user")
          .Add({});

  prometheus::Counter& pages_passed =
      counter(registry, metric_names::pages_passed, "Token pages passed to callers").Add({});
  CounterFamily& pages_withheld = counter(registry, metric_names::pages_withheld,
                                          "Callers who got a token instead of its page, by why they did");

  CounterFamily& reloads =
      counter(registry, metric_names::reloads, "Reloads of the configuration by how they ended");
  prometheus::Counter& reloads_taken = reloads.Add({{"result", "success"}});
  prometheus::Counter& reloads_refused = reloads.Add({{"result", "refused"}});

  std::map<std::string, ClientCounters> clients;
  std::map<std::string, ApiCounters> apis;
  std::unique_ptr<SharedCacheCounters> shared_cache;
  std::function<std::vector<ClientFigures>()> client_source;
  std::function<std::optional<bool>()> shared_cache_source;

  prometheus::MetricFamily token_requests() const;
  void add_client_figures(Families& families) const;
  void add_shared_cache(Families& families) const;
};

Metrics::Metrics(common::WallTime started) : state_(std::make_unique<State>()) {
  gauge(state_->registry, metric_names::build_info, "Always 1; the labels tell the build")
      .Add({{"version", GRANTD_VERSION}})
      .Set(1);
  gauge(state_->registry, metric_names::process_start_time, "When the process started, in Unix time")
      .Add({})
      .Set(std::chrono::duration<double>(started.time_since_epoch()).count());
  // There from the start, so that the first one is a rise from 0.
  for (const char* event : {"access_denied", "token_handed_out"}) state_->audited.Add({{"event", event}});
  for (const char* reason : {"not_held", "unread", "refused"})
    state_->pages_withheld.Add({{"reason", reason}});
}

Metrics::~Metrics() = default;

ClientMetrics& Metrics::client(const std::string& name) {
  return state_->clients.try_emplace(name, name, state_->served, state_->durations).first->second;
}

ApiMetrics& Metrics::api(const std::string& name) {
  return state_->apis.try_emplace(name, name, state_->api_requests, state_->api_retries).first->second;
}

SharedCacheMetrics& Metrics::shared_cache() {
  if (!state_->shared_cache) state_->shared_cache = std::make_unique<SharedCacheCounters>(state_->registry);
  return *state_->shared_cache;
}

void Metrics::connection_opened() {
  state_->connections.Increment();
  state_->opened.Increment();
}
void Metrics::connection_closed() { state_->connections.Decrement(); }
void Metrics::connection_refused() { state_->refused.Increment(); }
void Metrics::connections_limited_to(std::size_t limit) {
  state_->connections_limit.Set(static_cast<double>(limit));
}
void Metrics::page_passed() { state_->pages_passed.Increment(); }
void Metrics::page_withheld(std::string_view reason) {
  state_->pages_withheld.Add({{"reason", std::string{reason}}}).Increment();
}
void Metrics::reloaded(bool success) {
  (success ? state_->reloads_taken : state_->reloads_refused).Increment();
}
void Metrics::audited(std::string_view event) {
  state_->audited.Add({{"event", std::string{event}}}).Increment();
}
void Metrics::audit_line_left_out() { state_->audit_lines_left_out.Increment(); }

void Metrics::on_collect_clients(std::function<std::vector<ClientFigures>()> source) {
  state_->client_source = std::move(source);
}

// All results from the start, so that the first failure is a rise from 0.
prometheus::MetricFamily Metrics::State::token_requests() const {
  auto requests = family(metric_names::token_requests, "Exchanges with token endpoints by how they ended",
                         prometheus::MetricType::Counter);
  for (const auto& [client, counters] : clients) {
    for (std::size_t i = 0; i < request_results.size(); ++i) {
      requests.metric.push_back(sample_of(client));
      requests.metric.back().label.push_back({.name = "result", .value = request_results[i]});
      requests.metric.back().counter.value = static_cast<double>(counters.requests()[i]);
    }
  }
  return requests;
}

void Metrics::State::add_client_figures(Families& families) const {
  if (!client_source) return;
  auto expires_in =
      family(metric_names::token_expires_in, "Seconds until the definition's own cached token expires",
             prometheus::MetricType::Gauge);
  auto failing =
      family(metric_names::client_failing, "Whether the definition's last attempt to get a token failed",
             prometheus::MetricType::Gauge);
  for (const ClientFigures& figures : client_source()) {
    if (const auto left = figures.expires_in) {
      add_gauge(expires_in, figures.client, static_cast<double>(left->count()));
    }
    add_gauge(failing, figures.client, figures.failing ? 1 : 0);
  }
  families.push_back(std::move(expires_in));
  families.push_back(std::move(failing));
}

void Metrics::on_collect_shared_cache(std::function<std::optional<bool>()> source) {
  state_->shared_cache_source = std::move(source);
}

void Metrics::State::add_shared_cache(Families& families) const {
  const auto in_use = shared_cache_source ? shared_cache_source() : std::nullopt;
  if (!in_use) return;
  auto up = family(metric_names::shared_cache_up, "Whether the shared cache is in use",
                   prometheus::MetricType::Gauge);
  up.metric.emplace_back().gauge.value = *in_use ? 1 : 0;
  families.push_back(std::move(up));
}

std::string Metrics::render() {
  Families families = state_->registry.Collect();
  families.push_back(state_->token_requests());
  state_->add_client_figures(families);
  state_->add_shared_cache(families);
  return prometheus::TextSerializer{}.Serialize(families);
}

}  // namespace grantd::daemon
