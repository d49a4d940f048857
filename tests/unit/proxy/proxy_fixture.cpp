// The proxy on a real loop between real sockets; only the token server and the caller's session are
// stand-ins.
#include "tests/unit/proxy/proxy_fixture.hpp"

#include <signal.h>
#include <sys/socket.h>

namespace grantd::tests {

using namespace daemon;
using namespace std::chrono_literals;

void NumberedTokens::fetch(const Variant&, std::shared_ptr<const FetchWish>, Done done) {
  const int number = same_again && fetched > 0 ? 1 : fetched + 1;
  ++fetched;
  loop_.post([done = std::move(done), number, failing = fail.load()]() mutable {
    if (failing) {
      return done(std::unexpected(FetchError{.error = {.code = common::ErrorCode::token_request_rejected,
                                                       .detail = "refused",
                                                       .oauth_error = "invalid_scope"},
                                             .memory = FetchError::Memory::variant}));
    }
    done(TokenGrant{.access_token = common::Secret{"token-" + std::to_string(number)},
                    .type = TokenType::bearer,
                    .scope = "",
                    .version = "v" + std::to_string(number),
                    .lifetime = 3600s});
  });
}

void NumberedTokens::fetch_with_assertion(const Variant& variant, common::Secret, Done done) {
  fetch(variant, nullptr, std::move(done));
}

ProxyFixture::ProxyFixture(std::uint16_t port, std::function<void(config::ApiSettings&)> change) {
  ::signal(SIGPIPE, SIG_IGN);  // as the daemon does
  settings_.name = "invoices";
  settings_.client = "invoice.client";
  settings_.base_url = {.text = "http://127.0.0.1/base",
                        .tls = false,
                        .host = "127.0.0.1",
                        .port = port,
                        .path = "/base",
                        .query = ""};
  if (change) change(settings_);

  auto client_settings = std::make_shared<config::ClientSettings>();
  client_settings->name = "invoice.client";
  client_settings->allow_overrides = {config::Override::scope, config::Override::assertion};
  client_ = std::make_shared<CatalogClient>(
      client_settings,
      std::make_shared<TokenCache>(CacheRules{.client = "invoice.client", .configured = {Variant{}}}, tokens,
                                   CacheParts{loop.timers(), entropy, log, client_metrics}),
      AccessPolicy{{}, {}}, Variant{});
  catalog.now = make_catalog(std::make_shared<const config::ApiSettings>(settings_));
  proxy = std::make_unique<ProxyHandler>(ProxyParts{loop, workers, entropy, log, catalog, audit});
  thread_ = std::thread([this] { loop.run(); });
}

ProxyFixture::~ProxyFixture() {
  on_loop([this] {
    proxy->shut_down();
    for (TestSession* session : sessions_) session->close();
  });
  comes_true([this] { return sessions_.empty(); });
  loop.stop();
  thread_.join();
  proxy.reset();
}

std::shared_ptr<Catalog> ProxyFixture::make_catalog(std::shared_ptr<const config::ApiSettings> api) {
  auto made = std::make_shared<Catalog>(Catalog{.clients = {}, .apis = {}, .admins = AccessPolicy{{}, {}}});
  made->clients.emplace("invoice.client", client_);
  const auto access =
      AccessPolicy{api->access, AccountLookup{[](const std::string&) { return std::nullopt; },
                                              [](const std::string&) { return std::nullopt; }}};
  made->apis.emplace(
      "invoices",
      std::make_shared<CatalogApi>(CatalogApi{
          .settings = api, .client = client_, .access = access, .variant = {}, .metrics = &metrics}));
  return made;
}

void ProxyFixture::reload(std::function<void(config::ApiSettings&)> change) {
  on_loop([&] {
    change(settings_);
    catalog.now = make_catalog(std::make_shared<const config::ApiSettings>(settings_));
  });
}

void ProxyFixture::on_loop(std::function<void()> action) {
  std::promise<void> done;
  loop.post([&] {
    action();
    done.set_value();
  });
  done.get_future().wait();
}

bool ProxyFixture::comes_true(std::function<bool()> condition) {
  const auto deadline = std::chrono::steady_clock::now() + 10s;
  while (std::chrono::steady_clock::now() < deadline) {
    bool now = false;
    on_loop([&] { now = condition(); });
    if (now) return true;
  }
  return false;
}

int ProxyFixture::count(int status) {
  int result = 0;
  on_loop([&] { result = metrics.statuses[status]; });
  return result;
}

int ProxyFixture::retries(const std::string& reason) {
  int result = 0;
  on_loop([&] { result = metrics.retries[reason]; });
  return result;
}

awaitable<void> ProxyFixture::serve(std::unique_ptr<TestSession> session) {
  sessions_.insert(session.get());
  co_await session->serve();
  sessions_.erase(session.get());
}

BlockingSocket ProxyFixture::caller() {
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) throw std::runtime_error("socketpair");
  on_loop([&] {
    common::UniqueFd socket{ends[0]};
    loop.spawn(serve(std::make_unique<TestSession>(loop, std::move(socket), *proxy, body_was_asked_for)));
  });
  return BlockingSocket{common::UniqueFd{ends[1]}};
}

std::string ProxyFixture::call(std::string_view request) {
  BlockingSocket connection = caller();
  connection.send(request);
  return connection.read_message();
}

}  // namespace grantd::tests
