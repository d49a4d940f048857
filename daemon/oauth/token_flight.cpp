// The deadline is kept here as well as in the transport: a caller's wait must end even if a name server holds
// the transport's thread for ever. What the transport says after that finds nobody.
#include "daemon/oauth/token_flight.hpp"

#include <utility>

#include "daemon/oauth/client_assertion.hpp"
#include "daemon/oauth/failed_exchange.hpp"
#include "daemon/oauth/retry.hpp"
#include "daemon/oauth/token_request.hpp"

namespace grantd::daemon {

namespace {

// So long the transport may take to say itself what it was waiting for, which tells more than a bare timeout.
constexpr common::BootClock::duration grace = std::chrono::milliseconds{100};

std::int64_t milliseconds(common::BootClock::duration duration) {
  return std::chrono::duration_cast<std::chrono::milliseconds>(duration).count();
}

}  // namespace

TokenFlight::TokenFlight(std::shared_ptr<const EndpointContext> context, Order order)
    : context_(std::move(context)),
      order_(std::move(order)),
      started_(context_->timers.now()),
      deadline_(started_ + context_->settings->request_timeout),
      timer_(context_->timers, [this] { on_timer(); }) {}

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
  const auto& settings = *context_->settings;
  context_->transport.send(std::move(*request),
                           {.connect_timeout = settings.connect_timeout, .tls = settings.tls}, deadline_,
                           [weak = weak_from_this()](Outcome outcome) {
                             if (const auto self = weak.lock()) self->land(outcome);
                           });
}

common::Result<HttpRequest> TokenFlight::make_request() {
  const auto& settings = *context_->settings;
  FormBody form = token_form(order_.variant);
  // Made for each attempt: credentials may have been rotated since the last, and an assertion is good for one.
  auto proof = order_.assertion ? send_client_assertion(form, settings.client_id, order_.assertion->clone())
                                : context_->authentication->prove(form, occasion());
  if (!proof) return std::unexpected(std::move(proof.error()));
  sent_ = std::move(proof->confidential);
  return token_request(settings, std::move(form), std::move(proof->authorization));
}

ProofOccasion TokenFlight::occasion() const {
  const auto& settings = *context_->settings;
  return {.audience =
              settings.assertion_audience.empty() ? settings.token_endpoint.text : settings.assertion_audience,
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
  auto judgement = judge_token_response(*outcome, judgement_context());
  observe(judgement ? "success" : judgement.error().result, outcome->status);
  if (!judgement) return fail(std::move(judgement.error()));
  if (!order_.assertion) context_->authentication->accepted(alternative_);
  end(std::move(*judgement));
}

void TokenFlight::fail(FailedExchange failed) {
  if (offer_other_credential(failed)) return ask();
  if (failed.passing && !order_.assertion) {
    const auto left = deadline_ - context_->timers.now();
    if (const auto delay =
            retry_delay(attempts_, failed.error.retry_after, left, context_->entropy.uniform())) {
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

void TokenFlight::on_timer() {
  const auto keep = shared_from_this();
  switch (state_) {
    case State::pausing:
      return ask();
    case State::refusing:
      return end(std::unexpected(*std::exchange(refusal_, std::nullopt)));
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
  return judging;
}

}  // namespace grantd::daemon
