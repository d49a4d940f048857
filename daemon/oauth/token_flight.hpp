#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "daemon/oauth/endpoint_client.hpp"
#include "daemon/oauth/token_response.hpp"

namespace grantd::daemon {

/// What all requests of one definition share. Holds `flights` weakly, because these hold it.
struct EndpointContext {
  std::shared_ptr<const config::ClientSettings> settings;
  std::shared_ptr<ClientAuthentication> authentication;
  /// The key that tokens are bound to, null: they are not.
  std::shared_ptr<DpopKeySource> dpop;
  std::shared_ptr<DpopNonces> nonces;
  /// Where the endpoint is, null: it is configured.
  std::shared_ptr<Discovery> discovery;
  common::TimerQueue& timers;
  common::Entropy& entropy;
  Transport& transport;
  common::Logger& log;
  std::weak_ptr<Flights> flights;
  ExchangeObserver observer;
  /// The document that the configured method was compared with last.
  std::shared_ptr<const ServerMetadata> compared{};
  /// The credentials of the last request, for comparison: others than requests read the files, too.
  std::optional<common::Secret> used{};
};

/// What tells the credentials as they are now from others; nothing where they cannot be read.
std::optional<common::Secret> credentials_of(const EndpointContext& context);

/// One token being obtained: up to three exchanges with pauses between them, one deadline over all. Owned by
/// Flights until its end. Loop thread only.
class TokenFlight final : public std::enable_shared_from_this<TokenFlight> {
 public:
  struct Order {
    Variant variant;
    std::optional<common::Secret> assertion;
    EndpointClient::Done done;
  };
  TokenFlight(std::shared_ptr<EndpointContext> context, Order order);

  /// Sends the first request. Call once.
  void begin() { look_up(); }

 private:
  enum class State {
    looking_up,  // the endpoint is being discovered; the timer is the deadline
    asking,      // an exchange is under way; the timer is the deadline
    pausing,     // the timer is the next attempt
    refusing,    // the credentials cannot be read; the timer answers so, since `fetch` itself must not
    ended,
  };
  using Outcome = std::expected<HttpResponse, TransportError>;

  void look_up();
  void go_to(const Discovery::Found& found);
  void compare_method(const std::shared_ptr<const ServerMetadata>& metadata);
  void ask();
  common::Result<HttpRequest> make_request();
  ProofOccasion occasion() const;
  common::Result<void> add_proof(HttpRequest& request);
  bool offer_other_credential(const FailedExchange& failed);
  bool answer_nonce(const FailedExchange& failed);
  void bind(TokenGrant& grant);
  void land(const Outcome& outcome);
  void fail(FailedExchange failed);
  void on_timer();
  void observe(std::string_view result, int status);
  void end(FetchResult result);
  void log_end(const FetchResult& result) const;
  JudgementContext judgement_context() const;

  const std::shared_ptr<EndpointContext> context_;
  Order order_;
  const common::BootTime started_;
  const common::BootTime deadline_;
  common::Timer timer_;

  State state_ = State::asking;
  config::Url endpoint_;
  int lookups_ = 0;
  int attempts_ = 0;
  common::BootTime asked_{};
  std::vector<common::Secret>
      sent_;  // what was confidential in the request, in each form in which it was sent
  std::optional<std::chrono::seconds> server_ahead_;
  std::shared_ptr<const DpopKey> key_;  // of the last request's proof
  bool nonce_given_ = false;            // in the last response
  bool nonce_answered_ = false;
  std::size_t alternative_ = 0;  // of the credentials that the client has
  std::optional<FetchError> refusal_;
};

}  // namespace grantd::daemon
