// Each step is what the daemon does for a token, done by itself so that a person sees how far it goes: the
// connection is made once to look at it, and once more by the request.
#include "daemon/app/endpoint_doctor.hpp"

#include <algorithm>
#include <utility>

#include "common/timer_queue.hpp"
#include "daemon/http/connection_probe.hpp"
#include "daemon/loop/await_done.hpp"
#include "daemon/oauth/discovery.hpp"
#include "daemon/oauth/token_flight.hpp"
#include "daemon/oauth/token_request.hpp"

namespace grantd::daemon {

namespace {

using std::chrono::seconds;

// Servers allow a minute or less between their clock and the times in an assertion or a proof.
constexpr seconds most_clock_difference{30};

Variant own_variant(const config::ClientSettings& client) {
  return {.scope = client.scope,
          .resource = client.resource,
          .audience = client.audience,
          .parameters = client.parameters};
}

std::string joined(const std::vector<std::string>& words) {
  std::string text;
  for (const std::string& word : words) text.append(text.empty() ? "" : " ").append(word);
  return text;
}

/// What stands in `asked` and not among the words of `granted`.
std::vector<std::string> missing(const std::vector<std::string>& asked, std::string_view granted) {
  std::vector<std::string> left;
  for (const std::string& scope : asked) {
    const std::string padded = " " + std::string{granted} + " ";
    if (padded.find(" " + scope + " ") == std::string::npos) left.push_back(scope);
  }
  return left;
}

}  // namespace

/// One examination. Its coroutines run one after the other.
struct EndpointDoctor::Visit {
  EndpointDoctor& doctor;
  std::shared_ptr<const config::ClientSettings> client;
  Tell tell;
  EndpointCredentials credentials{};
  config::Url endpoint{};

  awaitable<bool> find_way();
  awaitable<bool> check_credentials();
  awaitable<bool> reach(const config::Url& url);
  awaitable<bool> take(std::string_view step, std::shared_ptr<ConnectionProbe> probe,
                       ConnectionProbe::Outcome (ConnectionProbe::*blocking)(), std::string advice);
  awaitable<bool> discover();
  awaitable<void> ask();
  awaitable<bool> judge(const TokenGrant& grant);
  awaitable<bool> judge_clock(const std::optional<seconds>& server_ahead);

  common::BootTime deadline() const { return doctor.clock_.now() + client->request_timeout; }
};

awaitable<void> EndpointDoctor::examine(std::shared_ptr<const config::ClientSettings> client, Tell tell) {
  Visit visit{.doctor = *this, .client = std::move(client), .tell = std::move(tell)};
  const bool found = co_await visit.find_way();
  if (found) co_await visit.ask();
}

awaitable<bool> EndpointDoctor::Visit::find_way() {
  const config::Url& server = client->issuer ? *client->issuer : client->token_endpoint;
  DoctorStep step{.step = "configuration",
                  .detail = "client_id " + client->client_id + ", " + std::string{name(client->auth_method)} +
                            ", " + (client->issuer ? "issuer " : "token_endpoint ") + server.text};
  bool going = co_await tell(std::move(step));
  if (going) going = co_await check_credentials();
  if (going) going = co_await reach(server);
  endpoint = client->token_endpoint;
  if (!going || !client->issuer) co_return going;
  going = co_await discover();
  if (going && (endpoint.host != server.host || endpoint.port != server.port))
    going = co_await reach(endpoint);
  co_return going;
}

awaitable<bool> EndpointDoctor::Visit::check_credentials() {
  credentials.authentication = make_client_authentication(client, doctor.endpoint_.log);
  if (client->dpop) credentials.dpop = std::make_shared<DpopKeySource>(client, doctor.endpoint_.log);
  FormBody unused;
  auto proof = credentials.authentication->prove(
      unused, {.audience = {}, .now = doctor.clock_.wall_now(), .entropy = doctor.endpoint_.entropy});
  DoctorStep step{.step = "credentials", .detail = "they can be read and used"};
  if (!proof) step = {.step = "credentials", .ok = false, .detail = proof.error().detail};
  if (proof && credentials.dpop) {
    const auto key = credentials.dpop->current();
    if (!key) step = {.step = "credentials", .ok = false, .detail = key.error().detail};
  }
  if (!step.ok)
    step.advice = "mend that file, or name another; the daemon's own user must be able to read it";
  const bool ok = step.ok;
  const bool listening = co_await tell(std::move(step));
  co_return listening&& ok;
}

awaitable<bool> EndpointDoctor::Visit::reach(const config::Url& url) {
  const auto probe =
      std::make_shared<ConnectionProbe>(url, connection_options(*client), doctor.clock_, deadline());
  const std::string key = client->http_proxy ? "http_proxy" : client->issuer ? "issuer" : "token_endpoint";
  bool going =
      co_await take("name", probe, &ConnectionProbe::look_up,
                    "check the host in " + key + " and this machine's name servers (/etc/resolv.conf)");
  if (going) {
    going = co_await take("tcp", probe, &ConnectionProbe::connect,
                          "check the port in " + key + ", routes, and firewalls between here and there");
  }
  if (!going) co_return false;
  if (url.tls) {
    co_return co_await take("tls", probe, &ConnectionProbe::secure,
                            "check tls_ca_file, which must hold the authority of the server's certificate, "
                            "tls_cert_file and tls_key_file, and this machine's clock");
  }
  DoctorStep step{.step = "tls",
                  .detail = "not used: " + url.text + " is plain http",
                  .advice = "use https, or whoever is on the way reads secrets and tokens"};
  co_return co_await tell(std::move(step));
}

awaitable<bool> EndpointDoctor::Visit::take(std::string_view name, std::shared_ptr<ConnectionProbe> probe,
                                            ConnectionProbe::Outcome (ConnectionProbe::*blocking)(),
                                            std::string advice) {
  using Outcome = ConnectionProbe::Outcome;
  // Answered by whichever comes first: the worker, or the deadline where a name server never answers.
  struct Waiting {
    std::move_only_function<void(Outcome)> done;
    std::unique_ptr<common::Timer> deadline;
    void end(Outcome outcome) {
      if (!done) return;
      deadline.reset();
      std::exchange(done, nullptr)(std::move(outcome));
    }
  };
  auto begin = [&doctor = doctor, probe, blocking, until = deadline()](auto done) {
    auto waiting = std::make_shared<Waiting>();
    waiting->done = std::move(done);
    auto ticket = std::make_shared<Workers::Ticket>();
    waiting->deadline =
        std::make_unique<common::Timer>(doctor.loop_.timers(), [weak = std::weak_ptr{waiting}, ticket] {
          const auto late = weak.lock();  // a job that never ran takes its reference with it
          ticket->abandon();
          if (late) late->end(std::unexpected(std::string{"no answer within request_timeout"}));
        });
    waiting->deadline->arm(until + std::chrono::milliseconds{100});
    *ticket = doctor.workers_.run([&loop = doctor.loop_, probe, blocking, waiting]() mutable {
      auto outcome = ((*probe).*blocking)();
      loop.post([waiting = std::move(waiting), outcome = std::move(outcome)]() mutable {
        waiting->end(std::move(outcome));
      });
    });
  };
  auto outcome = co_await await_done<Outcome>(std::move(begin));
  DoctorStep step{.step = name, .ok = outcome.has_value(), .detail = outcome ? *outcome : outcome.error()};
  if (!outcome) step.advice = std::move(advice);
  const bool listening = co_await tell(std::move(step));
  co_return listening&& outcome.has_value();
}

awaitable<bool> EndpointDoctor::Visit::discover() {
  const auto discovery = std::make_shared<Discovery>(discovery_target(*client), doctor.endpoint_.timers,
                                                     doctor.endpoint_.transport, doctor.endpoint_.log);
  auto look_up = [discovery, until = deadline()](auto done) { discovery->find(until, std::move(done)); };
  auto found = co_await await_done<Discovery::Found>(std::move(look_up));
  DoctorStep step{.step = "discovery"};
  if (!found) {
    step.ok = false;
    step.detail = found.error().error.error.detail;
    step.advice =
        "check issuer, to the letter, and allow_endpoint_hosts; or configure token_endpoint in its place";
  } else {
    endpoint = client->tls.cert_file ? (*found)->mtls_token_endpoint : (*found)->token_endpoint;
    step.detail = "the token endpoint is " + endpoint.text;
    const auto& offered = (*found)->auth_methods;
    if (offered && std::ranges::find(*offered, name(client->auth_method)) == offered->end()) {
      step.advice = "the server does not offer " + std::string{name(client->auth_method)} + " but " +
                    joined(*offered) + ": set token_endpoint_auth_method";
    }
  }
  const bool listening = co_await tell(std::move(step));
  co_return listening&& found.has_value();
}

awaitable<void> EndpointDoctor::Visit::ask() {
  EndpointClient requests{client, credentials, doctor.endpoint_, nullptr};
  const auto asked = doctor.clock_.now();
  auto fetch = [&requests, variant = own_variant(*client)](auto done) {
    requests.fetch(variant, std::move(done));
  };
  auto result = co_await await_done<FetchResult>(std::move(fetch));
  const auto took = std::chrono::duration_cast<std::chrono::milliseconds>(doctor.clock_.now() - asked);
  DoctorStep step{.step = "token_request",
                  .detail = "a token came after " + std::to_string(took.count()) + " ms"};
  if (!result) {
    const common::Error& error = result.error().error;
    step.ok = false;
    step.detail = std::string{name(error.code)} + ": " + error.detail;
    if (!error.oauth_error.empty()) step.detail += "; the server says " + error.oauth_error;
    if (!error.oauth_error_description.empty()) step.detail += ": " + error.oauth_error_description;
    step.advice = "the detail says what to check; the authorization server's log says why it refused";
  }
  bool listening = co_await tell(std::move(step));
  if (listening && result) listening = co_await judge(*result);
  if (listening) co_await judge_clock(result ? result->server_ahead : result.error().server_ahead);
}

awaitable<bool> EndpointDoctor::Visit::judge(const TokenGrant& grant) {
  DoctorStep type{.step = "token_type", .detail = grant.type == TokenType::dpop ? "DPoP" : "Bearer"};
  if (client->dpop && !grant.binding) {
    type.ok = false;
    type.advice =
        "the server did not bind the token to the key: have it do so for this client, or remove dpop";
  }
  bool listening = co_await tell(std::move(type));
  if (!listening) co_return false;

  const auto withheld = missing(client->scope, grant.scope);
  DoctorStep scope{
      .step = "scope",
      .ok = withheld.empty(),
      .detail = grant.scope.empty() ? "none was asked for, and none named" : "granted: " + grant.scope};
  if (!withheld.empty()) {
    scope.detail += "; not granted: " + joined(withheld);
    scope.advice = "allow these scopes in the client's registration, or remove them from scope";
  }
  listening = co_await tell(std::move(scope));
  if (!listening) co_return false;

  DoctorStep lifetime{.step = "lifetime", .detail = std::to_string(grant.lifetime.count()) + " s"};
  if (grant.lifetime <= seconds{0}) {
    lifetime.ok = false;
    lifetime.advice =
        "the server issues tokens that have expired, which cannot be cached: mend its token lifetime";
  } else if (grant.lifetime < 2 * client->refresh_before_expiry) {
    lifetime.advice =
        "shorter than twice refresh_before_expiry: tokens are renewed after half their lifetime";
  }
  co_return co_await tell(std::move(lifetime));
}

awaitable<bool> EndpointDoctor::Visit::judge_clock(const std::optional<seconds>& server_ahead) {
  DoctorStep clock{.step = "clock", .detail = "the server does not tell its time"};
  if (server_ahead) {
    clock.ok = std::chrono::abs(*server_ahead) <= most_clock_difference;
    clock.detail = *server_ahead == seconds{0}
                       ? "this machine's clock and the server's agree"
                       : "the server's clock is " + std::to_string(std::chrono::abs(*server_ahead).count()) +
                             " s " + (*server_ahead > seconds{0} ? "ahead of" : "behind") + " this machine's";
  }
  if (!clock.ok)
    clock.advice = "set this machine's clock (timedatectl): assertions, proofs and certificates depend on it";
  co_return co_await tell(std::move(clock));
}

}  // namespace grantd::daemon
