// Finds out whom a request is for. It starts no coroutine of its own: what it returns is the route's.
#include "daemon/server/router.hpp"

#include "common/ascii.hpp"
#include "common/local_api.hpp"
#include "daemon/server/apis_handler.hpp"
#include "daemon/server/clients_handler.hpp"
#include "daemon/server/dpop_handler.hpp"
#include "daemon/server/problem.hpp"
#include "daemon/server/reload_handler.hpp"
#include "daemon/server/status_handler.hpp"
#include "daemon/server/tokens_handler.hpp"

namespace grantd::daemon {

using common::Error;
using common::ErrorCode;

namespace {

/// A path segment with its percent-encoding removed; what is no encoding stays as it is and names nothing.
std::string decode_segment(std::string_view segment) {
  std::string text;
  for (std::size_t i = 0; i < segment.size(); ++i) {
    const int high = segment[i] == '%' && i + 2 < segment.size() ? ascii::hex_value(segment[i + 1]) : -1;
    const int low = high >= 0 ? ascii::hex_value(segment[i + 2]) : -1;
    if (low < 0) {
      text += segment[i];
    } else {
      text += static_cast<char>(high * 16 + low);
      i += 2;
    }
  }
  return text;
}

std::string_view without_port(std::string_view host) {
  if (host.starts_with('[')) return host;  // an IPv6 address is no API's name either way
  return host.substr(0, host.find(':'));
}

bool is_reading(const Exchange& exchange) {
  const std::string_view method = exchange.request().method;
  return method == "GET" || method == "HEAD";
}

awaitable<void> refuse_method(Exchange& exchange, std::string_view allowed) {
  return exchange.respond(method_not_allowed(allowed));
}

awaitable<void> not_found(Exchange& exchange) {
  return exchange.respond(
      problem_response(Error{.code = ErrorCode::not_found, .detail = "the local API has no such path"}));
}

/// `/v1/proxy/invoices` without a slash behind it: the API's root.
awaitable<void> call_root(ApiHandler& apis, Exchange& exchange, std::string_view api, std::string target) {
  co_await apis.handle(exchange, api, target);
}

/// The one segment after `prefix`; empty where `path` is no such path.
std::string_view segment_after(std::string_view prefix, std::string_view path) {
  if (!path.starts_with(prefix)) return {};
  const auto segment = path.substr(prefix.size());
  return segment.find('/') == std::string_view::npos ? segment : std::string_view{};
}

constexpr std::string_view reading = "GET, HEAD";
constexpr std::string_view client_prefix = "/v1/clients/";
constexpr std::string_view doctor_suffix = "/doctor";

}  // namespace

struct Router::Routes {
  explicit Routes(RouterParts p)
      : parts(std::move(p)),
        tokens(parts.catalog, parts.timers, parts.audit),
        dpop(parts.catalog, parts.timers, parts.entropy, parts.audit),
        clients(parts.catalog, parts.timers, parts.audit, parts.shared_cache),
        doctor(parts.catalog, parts.timers, parts.audit, parts.doctor),
        apis(parts.catalog, parts.timers),
        reload(parts.catalog, parts.timers, parts.audit, parts.reload) {}

  awaitable<void> local(Exchange& exchange);
  awaitable<void> proxy(Exchange& exchange);

  RouterParts parts;
  TokensHandler tokens;
  DpopHandler dpop;
  ClientsHandler clients;
  DoctorHandler doctor;
  ApisHandler apis;
  ReloadHandler reload;
};

Router::Router(RouterParts parts) : routes_(std::make_unique<Routes>(std::move(parts))) {}
Router::~Router() = default;

awaitable<void> Router::handle(Exchange& exchange) {
  const http1::RequestHead& request = exchange.request();
  const std::string_view host = without_port(request.host);
  if (host.empty() || ascii::equal_ignoring_case(host, local_api::localhost) ||
      ascii::equal_ignoring_case(host, local_api::own_host)) {
    return routes_->local(exchange);
  }
  return routes_->parts.apis.handle(exchange, host, request.target);
}

awaitable<void> Router::Routes::local(Exchange& exchange) {
  const std::string_view path = exchange.request().path;
  if (const auto client = segment_after(local_api::tokens_prefix, path); !client.empty()) {
    return tokens.handle(exchange, decode_segment(client));
  }
  if (path.ends_with(local_api::page_suffix)) {
    const auto client =
        segment_after(local_api::tokens_prefix, path.substr(0, path.size() - local_api::page_suffix.size()));
    if (!client.empty()) return tokens.handle_page(exchange, decode_segment(client));
  }
  if (const auto client = segment_after(local_api::dpop_prefix, path); !client.empty()) {
    return exchange.request().method == "POST" ? dpop.handle(exchange, decode_segment(client))
                                               : refuse_method(exchange, "POST");
  }
  if (path.starts_with(local_api::proxy_prefix)) return proxy(exchange);
  if (path == local_api::reload_path) {
    return exchange.request().method == "POST" ? reload.handle(exchange) : refuse_method(exchange, "POST");
  }
  if (path.ends_with(doctor_suffix)) {
    const auto client = segment_after(client_prefix, path.substr(0, path.size() - doctor_suffix.size()));
    if (client.empty()) return not_found(exchange);
    return exchange.request().method == "POST" ? doctor.handle(exchange, decode_segment(client))
                                               : refuse_method(exchange, "POST");
  }
  if (const auto client = segment_after(client_prefix, path); !client.empty()) {
    return is_reading(exchange) ? clients.show(exchange, decode_segment(client))
                                : refuse_method(exchange, reading);
  }
  const bool known = path == local_api::clients_path || path == local_api::apis_path ||
                     path == local_api::metrics_path || path == local_api::healthz_path ||
                     path == local_api::readyz_path;
  if (!known) return not_found(exchange);
  if (!is_reading(exchange)) return refuse_method(exchange, reading);
  if (path == local_api::clients_path) return clients.list(exchange);
  if (path == local_api::apis_path) return apis.list(exchange);
  if (path == local_api::metrics_path) return respond_with_metrics(exchange, parts.metrics);
  if (path == local_api::healthz_path) return respond_alive(exchange);
  return respond_readiness(exchange, parts.ready());
}

awaitable<void> Router::Routes::proxy(Exchange& exchange) {
  const http1::RequestHead& request = exchange.request();
  const std::string_view rest = request.target.substr(local_api::proxy_prefix.size());
  const std::string_view api = rest.substr(0, rest.find_first_of("/?"));
  if (api.empty()) return not_found(exchange);
  const std::string_view target = rest.substr(api.size());
  if (target.starts_with('/')) return parts.apis.handle(exchange, api, target);
  return call_root(parts.apis, exchange, api, std::string{"/"}.append(target));
}

awaitable<void> MetricsOnlyHandler::handle(Exchange& exchange) {
  if (exchange.request().path != local_api::metrics_path) return not_found(exchange);
  if (!is_reading(exchange)) return refuse_method(exchange, reading);
  return respond_with_metrics(exchange, metrics_);
}

}  // namespace grantd::daemon
