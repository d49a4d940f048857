// Everything that can be refused is refused before the first byte goes anywhere.
#include "daemon/proxy/proxy_handler.hpp"

#include <algorithm>

#include "common/ascii.hpp"
#include "common/syntax.hpp"
#include "daemon/proxy/grantd_headers.hpp"
#include "daemon/proxy/header_filter.hpp"
#include "daemon/proxy/target.hpp"

namespace grantd::daemon {
namespace {

using common::Error;
using common::ErrorCode;

constexpr std::string_view allowed_methods = "Allow: GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS\r\n";

/// What was written where an API's name belongs, as far as it may stand in an answer.
std::string quoted_name(std::string_view name) {
  if (!syntax::is_definition_name(name)) return "that name";
  return "the name \"" + std::string{name} + "\"";
}

bool is_tracing(std::string_view method) {
  return ascii::equal_ignoring_case(method, "TRACE") || ascii::equal_ignoring_case(method, "CONNECT");
}

/// The request as the API gets it, up to and without the Authorization line.
common::Result<std::string> api_head(const http1::RequestHead& request, std::string_view target,
                                     const config::ApiSettings& api) {
  std::string head;
  head.reserve(1024);
  head.append(request.method).append(" ");
  // To a proxy the target is in absolute form (RFC 9112 section 3.2.2), unless a tunnel goes through it.
  if (api.http_proxy && !api.base_url.tls) head.append("http://").append(api.base_url.authority());
  if (auto joined = append_api_target(head, api.base_url.path, target); !joined)
    return std::unexpected(joined.error());
  head.append(" HTTP/1.1\r\nHost: ").append(api.base_url.authority()).append("\r\n");
  append_request_fields(head, request, api.headers);
  append_request_framing(head, request);
  return head;
}

}  // namespace

/// What a request's head comes to under one catalog. Keeps nothing alive that a reload took away.
struct ProxyHandler::Memo final : RequestMemo {
  std::uint64_t generation = 0;  // of the catalog
  std::weak_ptr<CatalogApi> api{};
  std::weak_ptr<UpstreamPool> pool{};
  std::string head{};
  TokenQuery query{};
};

ProxyHandler::ProxyHandler(ProxyParts parts) : parts_(parts) {}

ProxyHandler::~ProxyHandler() { shut_down(); }

void ProxyHandler::shut_down() {
  for (auto& [name, pool] : pools_) pool->shut_down();
  for (const auto& retired : retired_) {
    if (const auto pool = retired.lock()) pool->shut_down();
  }
  pools_.clear();
  retired_.clear();
}

void ProxyHandler::follow_catalog() {
  const auto& now = parts_.catalog.now;
  if (!followed_.owner_before(now) && !now.owner_before(followed_)) return;
  followed_ = now;
  ++generation_;
  std::erase_if(retired_, [](const auto& pool) { return pool.expired(); });
  std::erase_if(pools_, [&](const auto& entry) {
    const auto api = now->api(entry.first);
    if (api && api->settings == entry.second->settings()) return false;
    entry.second->retire();
    retired_.push_back(entry.second);
    return true;
  });
}

std::shared_ptr<UpstreamPool> ProxyHandler::pool_for(const CatalogApi& api) {
  auto& pool = pools_[api.settings->name];
  if (!pool) pool = std::make_shared<UpstreamPool>(api.settings, parts_.loop, parts_.workers, parts_.log);
  return pool;
}

awaitable<void> ProxyHandler::handle(Exchange& exchange, std::string_view api_name, std::string_view target) {
  follow_catalog();
  std::unique_ptr<RequestMemo>* const memo = exchange.memo();
  if (memo != nullptr && *memo) {
    const auto& known = static_cast<const Memo&>(**memo);
    auto api = known.generation == generation_ ? known.api.lock() : nullptr;
    auto pool = api ? known.pool.lock() : nullptr;
    if (pool && api->admits(exchange.peer(), parts_.loop.timers().now()))
      return call(exchange, std::move(api), std::move(pool), known.head, {.query = known.query});
    memo->reset();
  }
  return handle_new(exchange, api_name, target);
}

awaitable<void> ProxyHandler::call(Exchange& exchange, std::shared_ptr<CatalogApi> api,
                                   std::shared_ptr<UpstreamPool> pool, std::string_view head,
                                   GrantedRequest granted) {
  ProxiedCall call{
      {parts_.loop, parts_.entropy, nonces_, memory_}, exchange, std::move(api), std::move(pool)};
  co_await call.run(head, std::move(granted));
}

awaitable<void> ProxyHandler::handle_new(Exchange& exchange, std::string_view api_name,
                                         std::string_view target) {
  const http1::RequestHead& request = exchange.request();
  const auto api = parts_.catalog.now->api(api_name);
  if (!api) {
    const Error unknown{.code = ErrorCode::unknown_api, .detail = "no API has " + quoted_name(api_name)};
    co_return co_await refuse_call(exchange, unknown, nullptr, {});
  }
  if (!api->admits(exchange.peer(), parts_.loop.timers().now())) {
    parts_.audit.refused(exchange.peer(), {"api", api_name});
    const Error denied{
        .code = ErrorCode::access_denied,
        .detail =
            "the API or its client admits neither the user, nor a group, nor the unit of this process; see "
            "allow_users, allow_groups and allow_units"};
    co_return co_await refuse_call(exchange, denied, api.get(), {});
  }
  if (is_tracing(request.method)) {
    const Error refused{.code = ErrorCode::method_not_allowed,
                        .detail = "TRACE and CONNECT do not go through the proxy"};
    co_return co_await refuse_call(exchange, refused, api.get(), {}, std::string{allowed_methods});
  }
  if (request.wants_upgrade) {
    const Error refused{.code = ErrorCode::upgrade_not_supported,
                        .detail = "WebSocket and other upgrades do not go through the proxy"};
    co_return co_await refuse_call(exchange, refused, api.get(), {});
  }
  auto head = api_head(request, target, *api->settings);
  if (!head) co_return co_await refuse_call(exchange, head.error(), api.get(), {});
  auto wanted = read_grantd_headers(request);
  if (!wanted) co_return co_await refuse_call(exchange, wanted.error(), api.get(), {});
  auto granted = grant_request(*api->client, api.get(), std::move(*wanted), exchange.peer().uid);
  if (!granted) {
    if (granted.error().code == ErrorCode::access_denied)
      parts_.audit.refused(exchange.peer(), {"api", api_name});
    co_return co_await refuse_call(exchange, granted.error(), api.get(), {});
  }

  auto pool = pool_for(*api);
  if (auto* const memo = exchange.memo(); memo != nullptr && granted->assertion.empty()) {
    auto kept = std::make_unique<Memo>();
    kept->generation = generation_;
    kept->api = api;
    kept->pool = pool;
    kept->head = std::move(*head);
    kept->query = granted->query;
    const std::string_view kept_head = kept->head;
    *memo = std::move(kept);
    co_return co_await call(exchange, api, std::move(pool), kept_head, std::move(*granted));
  }
  co_await call(exchange, api, std::move(pool), *head, std::move(*granted));
}

}  // namespace grantd::daemon
