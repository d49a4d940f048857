// The deadline is kept here as well as in the transport: a caller's wait must end even if a name server holds
// the transport's thread for ever. What the transport says after that finds nobody.
#include "daemon/oauth/token_flight.hpp"

#include <algorithm>
#include <utility>

#include "daemon/oauth/client_assertion.hpp"
#include "daemon/oauth/failed_exchange.hpp"
#include "daemon/oauth/http_date.hpp"
#include "daemon/oauth/oauth_text.hpp"
#include "daemon/oauth/retry.hpp"
#include "daemon/oauth/token_request.hpp"

namespace grantd::daemon {

namespace {

// So long the transport may take to say itself what it was waiting for, which tells more than a bare timeout.
constexpr common::BootClock::duration grace = std::chrono::milliseconds{100};

constexpr std::size_t shortest_key = 12;

std::int64_t milliseconds(common::BootClock::duration duration) {
  return std::chrono::duration_cast<std::chrono::milliseconds>(duration).count();
}

}  // namespace

std::optional<common::Secret> credentials_of(const EndpointContext& context) {
  auto credentials = context.authentication->shared_identity();
  const auto key = context.dpop ? context.dpop->identity() : std::string{};
  if (!credentials || !key) return std::nullopt;
  credentials->append("\n");
  credentials->append(*key);
  return credentials;
}

TokenFlight::TokenFlight(std::shared_ptr<EndpointContext> context, Order order)
    : context_(std::move(context)),
      order_(std::move(order)),
      started_(context_->timers.now()),
      deadline_(started_ + context_->settings->request_timeout),
      timer_(context_->timers, [this] { on_timer(); }) {}

void TokenFlight::look_up() {
  if (!context_->discovery) {
    endpoint_ = context_->settings->token_endpoint;
    return ask();
  }
  state_ = State::looking_up;
  ++lookups_;
  timer_.arm(deadline_ + grace);
  context_->discovery->find(deadline_, [weak = weak_from_this()](Discovery::Found found) {
    if (const auto self = weak.lock()) self->go_to(found);
  });
}

void TokenFlight::go_to(const Discovery::Found& found) {
  if (state_ != State::looking_up) return;
  if (!found) return fail(found.error());
  compare_method(*found);
  // RFC 8705 section 5: who presents a certificate goes where certificates are asked for.
  endpoint_ = context_->settings->tls.cert_file ? (*found)->mtls_token_endpoint : (*found)->token_endpoint;
  ask();
}

void TokenFlight::compare_method(const std::shared_ptr<const ServerMetadata>& metadata) {
  if (context_->compared == metadata) return;
  context_->compared = metadata;
  const auto& offered = metadata->auth_methods;
  const std::string_view method = name(context_->settings->auth_method);
  if (!offered || std::ranges::find(*offered, method) != offered->end()) return;
  std::string list;
  for (const std::string& one : *offered)
    list.append(list.empty() ? "" : " ").append(reduce_server_text(one, {}));
  context_->log.warning("auth_method_not_offered",
                        {{"client", context_->settings->name},
                         {"token_endpoint_auth_method", method},
                         {"token_endpoint_auth_methods_supported", list},
                         {"detail", "token requests may be refused: set one that is offered"}});
}

void TokenFlight::ask() {
  auto request = make_request();
  if (!request) {
    state_ = State::refusing;
    refusal_ = FetchError{.error = std::move(request.error()), .memory = FetchError::Memory::none};
    return timer_.arm_after({});
  }
  state_ = State::asking;
  asked_ = context_->timers.now();
  ++attempts_;
  timer_.arm(deadline_ + grace);
  context_->transport.send(std::move(*request), connection_options(*context_->settings), deadline_,
                           [weak = weak_from_this()](Outcome outcome) {
                             if (const auto self = weak.lock()) self->land(outcome);
                           });
}

common::Result<HttpRequest> TokenFlight::make_request() {
  const auto& settings = *context_->settings;
  FormBody form = token_form(order_.variant);
  // Before they are read for the proof: a change in between is one that this request may not have seen.
  if (!order_.assertion) {
    if (auto credentials = credentials_of(*context_)) context_->used = std::move(credentials);
  }
  // Made for each attempt: credentials may have been rotated since the last, and an assertion is good for
  // one.
  auto proof = order_.assertion ? send_client_assertion(form, settings.client_id, order_.assertion->clone())
                                : context_->authentication->prove(form, occasion());
  if (!proof) return std::unexpected(std::move(proof.error()));
  sent_ = std::move(proof->confidential);
  auto request = token_request(endpoint_, settings.headers, std::move(form), std::move(proof->authorization));
  if (auto added = add_proof(request); !added) return std::unexpected(std::move(added.error()));
  return request;
}

common::Result<void> TokenFlight::add_proof(HttpRequest& request) {
  if (!context_->dpop) return {};
  auto key = context_->dpop->current();
  if (!key) return std::unexpected(std::move(key.error()));
  key_ = *std::move(key);
  const auto proof = dpop_proof(
      *key_, {.method = request.method, .url = endpoint_.text, .nonce = context_->nonces->of(endpoint_)},
      context_->timers.wall_now(), context_->entropy);
  request.headers.emplace_back("DPoP", proof.reveal());
  return {};
}

// RFC 9449 section 5: a token that is no DPoP token can be used by whoever has it, whatever was asked for.
void TokenFlight::bind(TokenGrant& grant) {
  if (!key_) return;
  if (grant.type == TokenType::dpop) {
    grant.binding =
        std::make_shared<const TokenBinding>(key_, access_token_hash(grant.access_token.reveal()));
    return;
  }
  context_->log.warning(
      "token_not_bound",
      {{"client", context_->settings->name},
       {"detail",
        "the server answered a proof with a Bearer token, which is served as what it is: let the client's "
        "registration bind its tokens (RFC 9449), or remove dpop"}});
}

ProofOccasion TokenFlight::occasion() const {
  const auto& settings = *context_->settings;
  const std::string& server = settings.issuer ? settings.issuer->text : settings.token_endpoint.text;
  return {.audience = settings.assertion_audience.empty() ? server : settings.assertion_audience,
          .now = context_->timers.wall_now(),
          .entropy = context_->entropy,
          .alternative = alternative_};
}

void TokenFlight::land(const Outcome& outcome) {
  if (state_ != State::asking) return;
  if (!outcome) {
    auto failed = judge_transport_error(outcome.error());
    observe(failed.result, 0);
    return fail(std::move(failed));
  }
  const auto now = context_->timers.wall_now();
  const auto date = parse_http_date(outcome->header("Date"), now);
  server_ahead_ = date ? std::optional{std::chrono::round<std::chrono::seconds>(*date - now)} : std::nullopt;
  auto judgement = judge_token_response(*outcome, judgement_context());
  observe(judgement ? "success" : judgement.error().result, outcome->status);
  nonce_given_ = key_ && context_->nonces->remember(endpoint_, outcome->header("DPoP-Nonce"));
  if (!judgement) return fail(std::move(judgement.error()));
  bind(*judgement);
  if (!order_.assertion) context_->authentication->accepted(alternative_);
  end(std::move(*judgement));
}

void TokenFlight::fail(FailedExchange failed) {
  // An endpoint that has moved cannot be reached, or answers like none. One that answers 5xx is where it was.
  const bool gone = failed.result == "transport_error" || (failed.result == "http_error" && !failed.passing);
  if (context_->discovery && gone && state_ == State::asking) context_->discovery->doubt();
  if (offer_other_credential(failed) || answer_nonce(failed)) return ask();
  if (failed.passing && !order_.assertion) {
    const auto left = deadline_ - context_->timers.now();
    if (const auto delay = retry_delay(std::max(attempts_, lookups_), failed.error.retry_after, left,
                                       context_->entropy.uniform())) {
      state_ = State::pausing;
      return timer_.arm_after(*delay);
    }
  }
  end(std::unexpected(std::move(failed.error)));
}

bool TokenFlight::offer_other_credential(const FailedExchange& failed) {
  if (order_.assertion || failed.error.error.oauth_error != "invalid_client") return false;
  if (attempts_ >= max_attempts || alternative_ + 1 >= context_->authentication->alternatives()) return false;
  ++alternative_;
  if (make_request()) return true;
  --alternative_;
  return false;
}

// RFC 9449 section 8. Whatever else is sent anew is made anew: the first request may have used up its
// assertion.
bool TokenFlight::answer_nonce(const FailedExchange& failed) {
  if (order_.assertion || failed.error.error.oauth_error != "use_dpop_nonce") return false;
  if (!nonce_given_ || attempts_ >= max_attempts) return false;
  return !std::exchange(nonce_answered_, true);
}

void TokenFlight::on_timer() {
  const auto keep = shared_from_this();
  switch (state_) {
    case State::pausing:
      return look_up();
    case State::refusing:
      return end(std::unexpected(*std::exchange(refusal_, std::nullopt)));
    case State::looking_up:
    case State::asking: {
      auto failed = timed_out();
      observe(failed.result, 0);
      return end(std::unexpected(std::move(failed.error)));
    }
    case State::ended:
      return;
  }
}

void TokenFlight::observe(std::string_view result, int status) {
  const auto duration = context_->timers.now() - asked_;
  context_->log.debug("token_request_attempt", {{"client", context_->settings->name},
                                                {"attempt", attempts_},
                                                {"result", result},
                                                {"status", status},
                                                {"duration_ms", milliseconds(duration)}});
  if (context_->observer) context_->observer(result, duration);
}

void TokenFlight::end(FetchResult result) {
  const auto keep = shared_from_this();
  state_ = State::ended;
  timer_.disarm();
  if (const auto flights = context_->flights.lock()) flights->under_way.erase(keep);
  log_end(result);
  (result ? result->server_ahead : result.error().server_ahead) = server_ahead_;
  order_.done(std::move(result));
}

void TokenFlight::log_end(const FetchResult& result) const {
  const auto duration = milliseconds(context_->timers.now() - started_);
  const std::string& client = context_->settings->name;
  if (result) {
    return context_->log.info("token_fetched", {{"client", client},
                                                {"scope", result->scope},
                                                {"expires_in", result->lifetime.count()},
                                                {"attempts", attempts_},
                                                {"duration_ms", duration}});
  }
  const common::Error& error = result.error().error;
  const std::string scope = scope_text(order_.variant);
  if (error.oauth_error.empty()) {
    return context_->log.warning("token_request_failed", {{"client", client},
                                                          {"scope", scope},
                                                          {"code", name(error.code)},
                                                          {"attempts", attempts_},
                                                          {"duration_ms", duration},
                                                          {"detail", error.detail}});
  }
  context_->log.warning("token_request_failed", {{"client", client},
                                                 {"scope", scope},
                                                 {"code", name(error.code)},
                                                 {"attempts", attempts_},
                                                 {"duration_ms", duration},
                                                 {"oauth_error", error.oauth_error},
                                                 {"oauth_error_description", error.oauth_error_description},
                                                 {"detail", error.detail}});
}

JudgementContext TokenFlight::judgement_context() const {
  JudgementContext judging{.now = context_->timers.wall_now(),
                           .default_lifetime = context_->settings->default_lifetime,
                           .scope = scope_text(order_.variant)};
  for (const common::Secret& form : sent_) judging.confidential.push_back(form.reveal());
  // Either may hold a key. What is short is a word rather than a secret, and stands in many a sentence.
  for (const auto& [_, value] : context_->settings->headers) {
    if (value.size() >= shortest_key) judging.confidential.push_back(value);
  }
  for (const auto& [_, value] : order_.variant.parameters) {
    if (value.size() >= shortest_key) judging.confidential.push_back(value);
  }
  return judging;
}

}  // namespace grantd::daemon
