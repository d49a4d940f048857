// prometheus-cpp looks a label set up in a hash table under a lock; on the way of a cached token that would
// be the most expensive step. So every counter is looked up once and kept by reference.
#include "daemon/metrics/metrics.hpp"

#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>
#include <prometheus/text_serializer.h>

#include <array>
#include <map>

#include "daemon/metrics/names.hpp"

namespace grantd::daemon {

namespace {

using CounterFamily = prometheus::Family<prometheus::Counter>;
using GaugeFamily = prometheus::Family<prometheus::Gauge>;
using HistogramFamily = prometheus::Family<prometheus::Histogram>;

const prometheus::Histogram::BucketBoundaries duration_buckets{0.005, 0.01, 0.025, 0.05, 0.1, 0.25,
                                                               0.5,   1.0,  2.5,   5.0,  10.0};

CounterFamily& counter(prometheus::Registry& registry, const char* name, const char* help) {
  return prometheus::BuildCounter().Name(name).Help(help).Register(registry);
}

class ClientCounters final : public ClientMetrics {
 public:
  ClientCounters(const std::string& client, CounterFamily& served, CounterFamily& requests,
                 HistogramFamily& durations)
      : client_(client),
        served_{&served.Add({{"client", client}, {"source", "cache"}}),
                &served.Add({{"client", client}, {"source", "fetched"}}),
                &served.Add({{"client", client}, {"source", "renewing"}})},
        requests_(requests),
        duration_(durations.Add({{"client", client}}, duration_buckets)) {}

  void token_served(TokenOrigin origin) override { served_[static_cast<std::size_t>(origin)]->Increment(); }

  void token_request(std::string_view result, std::chrono::nanoseconds duration) override {
    requests_.Add({{"client", client_}, {"result", std::string{result}}}).Increment();
    duration_.Observe(std::chrono::duration<double>(duration).count());
  }

 private:
  const std::string client_;
  const std::array<prometheus::Counter*, 3> served_;  // by TokenOrigin
  CounterFamily& requests_;
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

}  // namespace

struct Metrics::State {
  prometheus::Registry registry;
  CounterFamily& token_requests =
      counter(registry, metric_names::token_requests, "Exchanges with token endpoints by how they ended");
  HistogramFamily& durations = prometheus::BuildHistogram()
                                   .Name(metric_names::token_request_duration)
                                   .Help("Duration of one exchange with a token endpoint")
                                   .Register(registry);
  CounterFamily& served =
      counter(registry, metric_names::tokens_served, "Tokens handed out by where they came from");
  GaugeFamily& expires_in = prometheus::BuildGauge()
                                .Name(metric_names::token_expires_in)
                                .Help("Seconds until the definition's own cached token expires")
                                .Register(registry);
  CounterFamily& api_requests = counter(registry, metric_names::api_requests,
                                        "Requests through the proxy by the status the caller got");
  CounterFamily& api_retries =
      counter(registry, metric_names::api_retries, "Requests that were sent to an API once more");
  prometheus::Gauge& connections = prometheus::BuildGauge()
                                       .Name(metric_names::connections)
                                       .Help("Open local connections")
                                       .Register(registry)
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

  std::map<std::string, ClientCounters> clients;
  std::map<std::string, ApiCounters> apis;
  std::map<std::string, prometheus::Gauge*> expiry_gauges;
  std::function<std::vector<Expiry>()> expiry_source;
};

Metrics::Metrics() : state_(std::make_unique<State>()) {
  prometheus::BuildGauge()
      .Name(metric_names::build_info)
      .Help("Always 1; the labels tell the build")
      .Register(state_->registry)
      .Add({{"version", GRANTD_VERSION}})
      .Set(1);
  // There from the start, so that the first one is a rise from 0.
  for (const char* event : {"access_denied", "token_handed_out"}) state_->audited.Add({{"event", event}});
}

Metrics::~Metrics() = default;

ClientMetrics& Metrics::client(const std::string& name) {
  return state_->clients.try_emplace(name, name, state_->served, state_->token_requests, state_->durations)
      .first->second;
}

ApiMetrics& Metrics::api(const std::string& name) {
  return state_->apis.try_emplace(name, name, state_->api_requests, state_->api_retries).first->second;
}

void Metrics::connection_opened() {
  state_->connections.Increment();
  state_->opened.Increment();
}
void Metrics::connection_closed() { state_->connections.Decrement(); }
void Metrics::connection_refused() { state_->refused.Increment(); }
void Metrics::audited(std::string_view event) {
  state_->audited.Add({{"event", std::string{event}}}).Increment();
}
void Metrics::audit_line_left_out() { state_->audit_lines_left_out.Increment(); }

void Metrics::on_collect_expiries(std::function<std::vector<Expiry>()> source) {
  state_->expiry_source = std::move(source);
}

std::string Metrics::render() {
  std::map<std::string, prometheus::Gauge*> current;
  if (state_->expiry_source) {
    for (const Expiry& expiry : state_->expiry_source()) {
      auto& gauge = state_->expires_in.Add({{"client", expiry.client}});
      gauge.Set(expiry.seconds);
      state_->expiry_gauges.erase(expiry.client);
      current.emplace(expiry.client, &gauge);
    }
  }
  for (const auto& [_, gone] : state_->expiry_gauges) state_->expires_in.Remove(gone);
  state_->expiry_gauges = std::move(current);
  return prometheus::TextSerializer{}.Serialize(state_->registry.Collect());
}

}  // namespace grantd::daemon
