// The composition: nothing here decides anything that another part could decide. Order matters in two places.
// Members are destroyed in reverse, so that what refers to the loop goes before it. And the socket is served
// only once the first catalog is in force, so that no caller ever meets a daemon without definitions.
#include "daemon/app/app.hpp"

#include <signal.h>
#include <sys/signalfd.h>

#include <algorithm>

#include "daemon/app/catalog_builder.hpp"
#include "daemon/app/endpoint_doctor.hpp"
#include "daemon/app/known_accounts.hpp"
#include "daemon/app/scrapes.hpp"
#include "daemon/http/httplib_transport.hpp"
#include "daemon/kept/kept_tokens.hpp"
#include "daemon/loop/await_done.hpp"
#include "daemon/proxy/proxy_handler.hpp"
#include "daemon/publish/token_pages.hpp"
#include "daemon/server/local_server.hpp"
#include "daemon/server/router.hpp"
#include "daemon/server/socket_file.hpp"
#include "daemon/service/notifier.hpp"
#include "daemon/service/passed_descriptors.hpp"

namespace grantd::daemon {

namespace {

constexpr std::chrono::seconds longest_drain{10};
// Threads for requests to authorization servers and name lookups, and how many more may hang in a dead
// resolver.
constexpr std::size_t worker_limit = 256;
constexpr std::size_t lookup_limit = 16;
constexpr std::size_t abandoned_worker_limit = 64;
// How many may hang in the resolver for the shared cache.
constexpr std::size_t abandoned_shared_limit = 4;
// In the service manager's descriptor store.
constexpr char kept_tokens_name[] = "tokens";

}  // namespace

struct App::State {
  State(AppParts app_parts, std::filesystem::path file)
      : parts(app_parts),
        reader(loop, std::move(file), [this](Configuration configuration) { apply(configuration); }) {
    hold_signals();
  }
  // Whatever ends this, the tokens stay for the next process.
  ~State() {
    pages.leave();
    kept_tokens.leave();
  }
  State(const State&) = delete;
  State& operator=(const State&) = delete;

  void apply(const Configuration& configuration);
  void begin_kept_tokens(PassedDescriptors& passed);
  std::expected<void, std::string> open_sockets(PassedDescriptors passed,
                                                const config::DaemonSettings& settings);
  void warn_of_settings_that_need_a_restart(const config::DaemonSettings& wanted);
  void hold_signals();
  void watch_signals();
  void reload(std::move_only_function<void(const ReloadResult&)> done);
  void reload_for_signal();
  awaitable<ReloadResult> reload_for_caller();
  std::string status() const;
  void feed_watchdog();
  void stop();
  bool ready() const;
  bool is_admin(const PeerIdentity& peer) { return catalog.now->admins.admits(peer, loop.timers().now()); }
  std::vector<ClientFigures> client_figures() const;
  std::optional<bool> shared_cache_in_use() const;

  AppParts parts;
  Loop loop{parts.clock};
  Workers workers{worker_limit, abandoned_worker_limit};
  Workers lookups{lookup_limit,
                  abandoned_worker_limit};  // of APIs' names, so that these never wait for the others
  Workers shared_workers{RedisQueue::most_pumps,
                         abandoned_shared_limit};  // so that the shared cache never waits for anything else
  Metrics metrics{parts.clock.wall_now()};
  Scrapes scrapes{loop, metrics};
  HttplibTransport transport{loop, workers, parts.clock};
  EndpointParts endpoint{loop.timers(), parts.entropy, transport, parts.log};
  KeptTokens kept_tokens{parts.log};
  TokenPages pages{parts.entropy, parts.log, metrics, kept_tokens};
  SharedCaching shared{{loop, shared_workers, parts.clock, parts.entropy, parts.log, metrics}};
  KnownAccounts accounts{loop, system_accounts()};
  CatalogBuilder builder{endpoint, metrics, accounts.lookup(), {kept_tokens, pages, shared}};
  EndpointDoctor doctor{loop, workers, parts.clock, endpoint};
  CurrentCatalog catalog;
  ConfigurationReader reader;
  AuditLog audit{loop.timers(), parts.log, [this](AuditLog::Event event, bool written) {
                   metrics.audited(name(event));
                   if (!written) metrics.audit_line_left_out();
                 }};
  ProxyHandler proxy{{loop, lookups, parts.entropy, parts.log, catalog, audit}};
  Router router{{.timers = loop.timers(),
                 .entropy = parts.entropy,
                 .log = parts.log,
                 .catalog = catalog,
                 .audit = audit,
                 .apis = proxy,
                 .doctor = doctor,
                 .reload = [this] { return reload_for_caller(); },
                 .metrics = [this] { return scrapes.next(); },
                 .ready = [this] { return ready(); },
                 .shared_cache = [this] { return shared.status(); }}};
  MetricsOnlyHandler metrics_only{[this] { return scrapes.next(); }};
  LocalServer server{
      {.loop = loop, .metrics = metrics, .log = parts.log, .is_admin = [this](const PeerIdentity& peer) {
         return is_admin(peer);
       }}};
  WatchedFd signals{loop};
  Notifier notifier{loop.timers(), parts.log};
  common::Timer watchdog{loop.timers(), [this] { feed_watchdog(); }};
  std::optional<SocketFile> socket_file;  // not where the service manager passed a socket
  std::optional<config::DaemonSettings>
      at_start;  // what cannot change before the next one; none: not started
  bool reload_refused = false;
  bool stopping = false;
};

void App::State::apply(const Configuration& configuration) {
  log_warnings(configuration, parts.log);
  const config::Settings& settings = *configuration.settings;
  accounts.learn(configuration.accounts);
  catalog.now = builder.build(settings);
  server.set_limits(settings.daemon);
  parts.log.set_level(settings.daemon.log_level);
  if (at_start) warn_of_settings_that_need_a_restart(settings.daemon);
  parts.log.info(at_start ? "reloaded" : "configured",
                 {{"clients", settings.clients.size()}, {"apis", settings.apis.size()}});
}

// What the manager holds under a name that nobody here knows, another version's say, is released. Pages are
// for as many descriptors as it said it holds beside the tokens'; to offer it the tokens harms nobody.
void App::State::begin_kept_tokens(PassedDescriptors& passed) {
  if (!notifier.has_manager()) return;
  const bool held = passed.stored.contains(kept_tokens_name);
  const bool begun_anew = kept_tokens.begin(passed.take_stored(kept_tokens_name), loop.timers().now());
  if (begun_anew) {
    if (held) notifier.release(kept_tokens_name);
    notifier.hold(kept_tokens_name, kept_tokens.descriptor());
  }
  std::multimap<std::string, common::UniqueFd> left;
  for (auto& [name, descriptor] : passed.stored) {
    if (name == kept_tokens_name) continue;
    if (name.starts_with(TokenPages::name_prefix)) {
      left.emplace(name, std::move(descriptor));
    } else {
      parts.log.warning("stored_descriptor_released", {{"name", name}});
      notifier.release(name);
    }
  }
  pages.begin({.most = std::max<std::size_t>(notifier.store_size(), 1) - 1,
               .hold = [this](const std::string& name,
                              int descriptor) { return notifier.hold_now(name, descriptor); },
               .release = [this](const std::string& name) { notifier.release(name); }},
              std::move(left));
}

std::expected<void, std::string> App::State::open_sockets(PassedDescriptors passed,
                                                          const config::DaemonSettings& settings) {
  if (passed.sockets.empty()) {
    auto file = SocketFile::create(settings, parts.log);
    if (!file) return std::unexpected(std::move(file.error()));
    passed.sockets.push_back(file->take_socket());
    socket_file.emplace(std::move(*file));
  }
  if (settings.metrics_listen) {
    auto listening = listen_on_tcp(settings.metrics_listen->first, settings.metrics_listen->second);
    if (!listening) return std::unexpected(std::move(listening.error()));
    server.add_metrics_socket(std::move(*listening), metrics_only);
  }
  for (common::UniqueFd& socket : passed.sockets) server.add_local_socket(std::move(socket), router);
  at_start = settings;
  return {};
}

void App::State::warn_of_settings_that_need_a_restart(const config::DaemonSettings& wanted) {
  const bool other_socket = wanted.socket != at_start->socket ||
                            wanted.socket_mode != at_start->socket_mode ||
                            wanted.socket_group != at_start->socket_group;
  if ((socket_file && other_socket) || wanted.metrics_listen != at_start->metrics_listen) {
    parts.log.warning(
        "restart_needed",
        {{"detail", "socket, socket_mode, socket_group and metrics_listen change at the next start"}});
  }
}

// They are blocked from here to the end of the process: one that comes during the start waits, and who asks a
// second time, while the parts are taken down, does not change how the process ends.
void App::State::hold_signals() {
  sigset_t ours;
  ::sigemptyset(&ours);
  for (const int signal : {SIGTERM, SIGINT, SIGHUP}) ::sigaddset(&ours, signal);
  ::pthread_sigmask(SIG_BLOCK, &ours, nullptr);
  signals.open(common::UniqueFd{::signalfd(-1, &ours, SFD_NONBLOCK | SFD_CLOEXEC)});
}

void App::State::watch_signals() {
  signals.on_readable([this] {
    signalfd_siginfo signal{};
    while (::read(signals.get(), &signal, sizeof signal) == static_cast<ssize_t>(sizeof signal)) {
      signal.ssi_signo == SIGHUP ? reload_for_signal() : stop();
    }
  });
}

void App::State::reload(std::move_only_function<void(const ReloadResult&)> done) {
  notifier.reloading();
  reader.reload([this, done = std::move(done)](const ReloadResult& result) mutable {
    reload_refused = !result;
    metrics.reloaded(result.has_value());
    notifier.ready(status());
    done(result);
  });
}

std::string App::State::status() const {
  auto counted = [](std::size_t number, std::string_view what) {
    return std::to_string(number) + " " + std::string{what} + (number == 1 ? "" : "s");
  };
  return "Serving " + counted(catalog.now->clients.size(), "client") + " and " +
         counted(catalog.now->apis.size(), "API") +
         (reload_refused ? "; the last reload was refused, the log says why" : "");
}

// A timer of the loop, so that a loop that hangs feeds nobody.
void App::State::feed_watchdog() {
  const auto patience = notifier.watchdog();
  if (!patience) return;
  notifier.alive();
  watchdog.arm_after(*patience / 3);
}

void App::State::reload_for_signal() {
  reload([this](const ReloadResult& result) {
    if (result) return;
    for (const config::ConfigError& error : result.error()) {
      parts.log.error("configuration_refused", {{"detail", error.text()}});
    }
  });
}

awaitable<ReloadResult> App::State::reload_for_caller() {
  auto result = co_await await_done<ReloadResult>([this](auto done) {
    reload([done = std::move(done)](const ReloadResult& outcome) mutable { done(outcome); });
  });
  if (!result) parts.log.error("configuration_refused", {{"errors", result.error().size()}});
  co_return result;
}

void App::State::stop() {
  if (std::exchange(stopping, true)) return;
  notifier.stopping("Finishing the requests under way");
  parts.log.info("stopping", {{"connections", server.connection_count()}});
  if (socket_file) socket_file->remove();
  server.stop(longest_drain, [this] {
    proxy.shut_down();
    loop.stop();
  });
}

bool App::State::ready() const {
  return std::ranges::all_of(catalog.now->clients, [](const auto& entry) {
    const CatalogClient& client = *entry.second;
    return !client.settings->prefetch || client.tokens->ever_had_token();
  });
}

std::vector<ClientFigures> App::State::client_figures() const {
  std::vector<ClientFigures> list;
  for (const auto& [name, client] : catalog.now->clients) {
    const CacheStatus status = client->tokens->status();
    list.push_back(
        {.client = name, .expires_in = status.expires_in, .failing = status.last_error.has_value()});
  }
  return list;
}

std::optional<bool> App::State::shared_cache_in_use() const {
  const auto status = shared.status();
  if (!status) return std::nullopt;
  return status->state == SharedCacheStatus::State::up;
}

App::App(AppParts parts, std::filesystem::path file)
    : state_(std::make_unique<State>(parts, std::move(file))) {}
App::~App() = default;

std::expected<void, std::string> App::run(Configuration configuration) {
  State& state = *state_;
  auto passed = take_passed_descriptors();
  if (!passed) return std::unexpected(std::move(passed.error()));
  state.begin_kept_tokens(*passed);
  state.apply(configuration);
  state.pages.close_untaken();
  state.kept_tokens.drop_untaken();
  state.metrics.on_collect_clients([&state] { return state.client_figures(); });
  state.metrics.on_collect_shared_cache([&state] { return state.shared_cache_in_use(); });
  if (auto opened = state.open_sockets(std::move(*passed), configuration.settings->daemon); !opened)
    return opened;
  state.watch_signals();
  const std::string socket = state.socket_file ? configuration.settings->daemon.socket.string()
                                               : std::string{"passed by the service manager"};
  state.parts.log.info("started", {{"version", GRANTD_VERSION}, {"socket", socket}});
  state.notifier.ready(state.status());
  state.feed_watchdog();
  state.loop.run();
  state.parts.log.info("stopped");
  return {};
}

bool App::threads_ended() const {
  return state_->workers.idle() && state_->lookups.idle() && state_->shared_workers.idle() &&
         state_->scrapes.idle() && state_->accounts.idle();
}

}  // namespace grantd::daemon
