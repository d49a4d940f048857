// prometheus-cpp looks a label set up in a hash table under a lock; on the way of a cached token that would
// be the most expensive step. So every counter is looked up once and kept by reference. What there is for
// each client is kept as plain numbers and becomes samples at a scrape, one family after the other: a series
// in the registry takes about 400 bytes, and there may be thousands of clients.
#include "daemon/metrics/metrics.hpp"

#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/metric_family.h>
#include <prometheus/registry.h>
#include <prometheus/text_serializer.h>

#include <algorithm>
#include <limits>
#include <map>
#include <sstream>
#include <utility>

#include "daemon/metrics/names.hpp"

namespace grantd::daemon {

namespace {

using CounterFamily = prometheus::Family<prometheus::Counter>;
using GaugeFamily = prometheus::Family<prometheus::Gauge>;

CounterFamily& counter(prometheus::Registry& registry, const char* name, const char* help) {
  return prometheus::BuildCounter().Name(name).Help(help).Register(registry);
}

GaugeFamily& gauge(prometheus::Registry& registry, const char* name, const char* help) {
  return prometheus::BuildGauge().Name(name).Help(help).Register(registry);
}

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

// Samples that the registry does not hold.
prometheus::MetricFamily family(const char* name, const char* help, prometheus::MetricType type) {
  return {.name = name, .help = help, .type = type, .metric = {}};
}

prometheus::ClientMetric sample_of(const std::string& client) {
  prometheus::ClientMetric sample;
  sample.label.push_back({.name = "client", .value = client});
  return sample;
}

/// What is written, family by family, so that there are never the samples of more than one.
class Page {
 public:
  void write(prometheus::MetricFamily one) {
    prometheus::TextSerializer{}.Serialize(text_, {std::move(one)});
  }
  void write(const std::vector<prometheus::MetricFamily>& all) {
    prometheus::TextSerializer{}.Serialize(text_, all);
  }
  std::string text() && { return std::move(text_).str(); }

 private:
  std::ostringstream text_;
};

using Counted = std::vector<std::pair<std::string, ClientCounts>>;

// All results from the start, so that the first failure is a rise from 0.
template <std::size_t Size>
void write_counters(Page& page, prometheus::MetricFamily counters, const Counted& clients, const char* label,
                    const std::array<const char*, Size>& values,
                    std::array<std::uint64_t, Size> ClientCounts::* counts) {
  for (const auto& [client, of_client] : clients) {
    for (std::size_t i = 0; i < Size; ++i) {
      auto& sample = counters.metric.emplace_back(sample_of(client));
      sample.label.push_back({.name = label, .value = values[i]});
      sample.counter.value = static_cast<double>((of_client.*counts)[i]);
    }
  }
  page.write(std::move(counters));
}

void write_durations(Page& page, const Counted& clients) {
  auto durations =
      family(metric_names::token_request_duration, "Duration of one exchange with a token endpoint",
             prometheus::MetricType::Histogram);
  for (const auto& [client, counts] : clients) {
    auto& sample = durations.metric.emplace_back(sample_of(client));
    std::uint64_t so_far = 0;
    for (std::size_t i = 0; i < counts.durations.size(); ++i) {
      so_far += counts.durations[i];
      const double bound =
          i < duration_buckets.size() ? duration_buckets[i] : std::numeric_limits<double>::infinity();
      sample.histogram.bucket.push_back({.cumulative_count = so_far, .upper_bound = bound});
    }
    sample.histogram.sample_count = so_far;
    sample.histogram.sample_sum = counts.seconds;
  }
  page.write(std::move(durations));
}

void write_gauge(Page& page, prometheus::MetricFamily gauge, const std::vector<ClientFigures>& clients,
                 std::optional<double> (*value)(const ClientFigures&)) {
  for (const ClientFigures& client : clients) {
    const auto now = value(client);
    if (now) gauge.metric.emplace_back(sample_of(client.client)).gauge.value = *now;
  }
  page.write(std::move(gauge));
}

void write_clients(Page& page, const Counted& counted, const std::vector<ClientFigures>& figures) {
  using prometheus::MetricType;
  write_counters(
      page,
      family(metric_names::tokens_served, "Tokens handed out by where they came from", MetricType::Counter),
      counted, "source", served_sources, &ClientCounts::served);
  write_counters(page,
                 family(metric_names::token_requests, "Exchanges with token endpoints by how they ended",
                        MetricType::Counter),
                 counted, "result", request_results, &ClientCounts::requests);
  write_durations(page, counted);
  write_gauge(page,
              family(metric_names::token_expires_in,
                     "Seconds until the definition's own cached token expires", MetricType::Gauge),
              figures, [](const ClientFigures& client) -> std::optional<double> {
                if (!client.expires_in) return std::nullopt;
                return static_cast<double>(client.expires_in->count());
              });
  write_gauge(page,
              family(metric_names::client_failing,
                     "Whether the definition's last attempt to get a token failed", MetricType::Gauge),
              figures,
              [](const ClientFigures& client) { return std::optional<double>{client.failing ? 1 : 0}; });
}

void write_shared_cache(Page& page, bool in_use) {
  auto up = family(metric_names::shared_cache_up, "Whether the shared cache is in use",
                   prometheus::MetricType::Gauge);
  up.metric.emplace_back().gauge.value = in_use ? 1 : 0;
  page.write(std::move(up));
}

}  // namespace

struct Metrics::State {
  prometheus::Registry registry;
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
  prometheus::Counter& refusals = audited.Add({{"event", "access_denied"}});
  prometheus::Counter& hand_outs = audited.Add({{"event", "token_handed_out"}});
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

  std::map<std::string, ClientMetrics> clients;
  std::map<std::string, ApiCounters> apis;
  std::unique_ptr<SharedCacheCounters> shared_cache;
  std::function<std::vector<ClientFigures>()> client_source;
  std::function<std::optional<bool>()> shared_cache_source;
};

Metrics::Metrics(common::WallTime started) : state_(std::make_unique<State>()) {
  gauge(state_->registry, metric_names::build_info, "Always 1; the labels tell the build")
      .Add({{"version", GRANTD_VERSION}})
      .Set(1);
  gauge(state_->registry, metric_names::process_start_time, "When the process started, in Unix time")
      .Add({})
      .Set(std::chrono::duration<double>(started.time_since_epoch()).count());
  // There from the start, so that the first one is a rise from 0.
  for (const char* reason : {"not_held", "unread", "refused"})
    state_->pages_withheld.Add({{"reason", reason}});
}

Metrics::~Metrics() = default;

ClientMetrics& Metrics::client(const std::string& name) {
  return state_->clients.try_emplace(name).first->second;
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
  (event == "access_denied" ? state_->refusals : state_->hand_outs).Increment();
}
void Metrics::audit_line_left_out() { state_->audit_lines_left_out.Increment(); }

void Metrics::on_collect_clients(std::function<std::vector<ClientFigures>()> source) {
  state_->client_source = std::move(source);
}

void Metrics::on_collect_shared_cache(std::function<std::optional<bool>()> source) {
  state_->shared_cache_source = std::move(source);
}

std::move_only_function<std::string()> Metrics::collect() {
  Counted counted;
  counted.reserve(state_->clients.size());
  for (const auto& [client, counters] : state_->clients) counted.emplace_back(client, counters.counts());
  auto figures = state_->client_source ? state_->client_source() : std::vector<ClientFigures>{};
  const auto shared_cache_in_use = state_->shared_cache_source ? state_->shared_cache_source() : std::nullopt;
  return [registered = state_->registry.Collect(), counted = std::move(counted), figures = std::move(figures),
          shared_cache_in_use] {
    Page page;
    page.write(registered);
    write_clients(page, counted, figures);
    if (shared_cache_in_use) write_shared_cache(page, *shared_cache_in_use);
    return std::move(page).text();
  };
}

}  // namespace grantd::daemon
