#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <set>

#include "common/entropy.hpp"
#include "common/timer_queue.hpp"
#include "config/settings.hpp"
#include "daemon/http/transport.hpp"
#include "daemon/oauth/client_authentication.hpp"
#include "daemon/oauth/discovery.hpp"
#include "daemon/oauth/dpop_key_source.hpp"
#include "daemon/oauth/dpop_nonces.hpp"
#include "daemon/oauth/token.hpp"

namespace grantd::daemon {

class TokenFlight;
struct EndpointContext;

/// The token requests under way, of every client that was given the same parts.
struct Flights {
  std::set<std::shared_ptr<TokenFlight>> under_way{};
};

/// What the endpoint client is made of; all of it outlives the client.
struct EndpointParts {
  common::TimerQueue& timers;
  common::Entropy& entropy;
  Transport& transport;
  common::Logger& log;
  std::shared_ptr<Discoveries> discoveries = std::make_shared<Discoveries>(timers, transport, log);
  /// Of token endpoints.
  std::shared_ptr<DpopNonces> nonces = std::make_shared<DpopNonces>();
  /// A client may go (at a reload) before its requests do: they are answered for as long as any copy of these
  /// parts is there, and dropped without an answer with the last one.
  std::shared_ptr<Flights> flights = std::make_shared<Flights>();
};

/// What a client proves.
struct EndpointCredentials {
  /// Who it is.
  std::shared_ptr<ClientAuthentication> authentication;
  /// That it has the key which its tokens are bound to, null: they are not.
  std::shared_ptr<DpopKeySource> dpop{};
};

/// Called after every HTTP exchange with the token endpoint, for metrics: `result` is "success",
/// "oauth_error", "http_error", "transport_error", "timeout" or "invalid_response".
using ExchangeObserver = std::function<void(std::string_view result, std::chrono::nanoseconds duration)>;

/// Obtains tokens of one definition from its token endpoint (RFC 6749 section 4.4): credentials, up to three
/// attempts with backoff within `request_timeout`, judgement of the answer. Knows nothing of caching. Loop
/// thread only.
class EndpointClient {
 public:
  EndpointClient(std::shared_ptr<const config::ClientSettings> settings, EndpointCredentials credentials,
                 EndpointParts parts, ExchangeObserver observer);
  ~EndpointClient();

  using Done = std::move_only_function<void(FetchResult)>;
  /// `done` is called once, on the loop's thread, never from within `fetch`, at the latest shortly after
  /// `request_timeout`.
  void fetch(const Variant& variant, Done done);
  /// The same with a caller's assertion in place of the client's secret (RFC 7523 section 2.2, client
  /// authentication): sent once, never repeated.
  void fetch_with_assertion(const Variant& variant, common::Secret assertion, Done done);
  /// Whether the credentials on disk are others than those of the last request: then remembered errors are
  /// void.
  bool credentials_changed() const;

 private:
  void start(const Variant& variant, std::optional<common::Secret> assertion, Done done);

  const std::shared_ptr<Flights> flights_;
  const std::shared_ptr<EndpointContext> context_;
};

}  // namespace grantd::daemon
