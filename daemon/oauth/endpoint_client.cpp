// A client is no more than what its requests have in common: each of them (token_flight.hpp) goes its way
// alone, and goes on where a reload takes the client away.
#include "daemon/oauth/endpoint_client.hpp"

#include <utility>

#include "daemon/oauth/token_flight.hpp"

namespace grantd::daemon {

EndpointClient::EndpointClient(std::shared_ptr<const config::ClientSettings> settings,
                               EndpointCredentials credentials, EndpointParts parts,
                               ExchangeObserver observer)
    : flights_(parts.flights),
      context_(new EndpointContext{.settings = std::move(settings),
                                   .authentication = std::move(credentials.authentication),
                                   .dpop = std::move(credentials.dpop),
                                   .nonces = parts.nonces,
                                   .discovery = {},
                                   .timers = parts.timers,
                                   .entropy = parts.entropy,
                                   .transport = parts.transport,
                                   .log = parts.log,
                                   .flights = parts.flights,
                                   .observer = std::move(observer)}) {
  const auto& client = *context_->settings;
  if (client.issuer) context_->discovery = parts.discoveries->of(discovery_target(client));
}

EndpointClient::~EndpointClient() = default;

void EndpointClient::fetch(const Variant& variant, Done done) {
  start(variant, std::nullopt, std::move(done));
}

void EndpointClient::fetch_with_assertion(const Variant& variant, common::Secret assertion, Done done) {
  start(variant, std::move(assertion), std::move(done));
}

void EndpointClient::start(const Variant& variant, std::optional<common::Secret> assertion, Done done) {
  auto flight = std::make_shared<TokenFlight>(
      context_,
      TokenFlight::Order{.variant = variant, .assertion = std::move(assertion), .done = std::move(done)});
  flights_->under_way.insert(flight);
  flight->begin();
}

bool EndpointClient::credentials_changed() const {
  if (context_->authentication->changed() || (context_->dpop && context_->dpop->changed())) return true;
  const auto credentials = credentials_of(*context_);
  return credentials && context_->used && credentials->reveal() != context_->used->reveal();
}

}  // namespace grantd::daemon
