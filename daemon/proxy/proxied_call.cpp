// The way of one request. The response to a first attempt stays unread in the buffer until it is decided
// whether there is a second one, so that a 401 that cannot be helped reaches the caller as the API wrote it.
#include "daemon/proxy/proxied_call.hpp"

#include <exception>
#include <utility>

#include "common/local_api.hpp"
#include "daemon/oauth/dpop_proof.hpp"
#include "daemon/proxy/grantd_headers.hpp"

namespace grantd::daemon {
namespace {

using common::Error;
using common::ErrorCode;

constexpr int max_informational = 32;
constexpr std::size_t max_drained = std::size_t{64} * 1024;
constexpr std::size_t usual_fields = 16;
constexpr std::size_t longest_head = std::size_t{64} * 1024;

awaitable<void> renew(std::shared_ptr<CatalogClient> client, GrantedRequest request) {
  co_await obtain_token(std::move(client), std::move(request));
}

}  // namespace

awaitable<void> refuse_call(Exchange& exchange, const Error& error, const CatalogApi* api,
                            std::string_view retried, std::string extra_headers) {
  LocalResponse response = api == nullptr
                               ? problem_response(error)
                               : problem_response(error, api->client->settings->name, api->settings->name);
  response.extra_headers += extra_headers;
  response.extra_headers.append(local_api::error_header)
      .append(": ")
      .append(common::name(error.code))
      .append("\r\n");
  if (!retried.empty()) {
    response.extra_headers.append(local_api::retried_header).append(": ").append(retried).append("\r\n");
  }
  if (api != nullptr) api->metrics->request(response.status);
  co_await exchange.respond(std::move(response));
}

ProxiedCall::ProxiedCall(const CallParts& parts, Exchange& exchange, std::shared_ptr<CatalogApi> api,
                         std::shared_ptr<UpstreamPool> pool)
    : loop_(parts.loop),
      entropy_(parts.entropy),
      nonces_(parts.nonces),
      exchange_(exchange),
      api_(std::move(api)),
      pool_(std::move(pool)),
      settings_(*pool_->settings()),
      replay_(parts.memory.replay, settings_.max_replay_body),
      pump_(loop_, exchange, replay_,
            {.response = settings_.response_timeout, .idle = settings_.idle_timeout}),
      pipes_(parts.memory.pipes),
      buffer_(parts.memory.relay) {
  response_.fields.reserve(usual_fields);
}

awaitable<void> ProxiedCall::run(std::string_view head, GrantedRequest granted) {
  head_ = head;
  own_assertion_ = !granted.assertion.empty();
  exchange_.on_caller_gone([this] {
    caller_gone_ = true;
    if (connection_) connection_->abort();
  });
  // Where nothing has to wait, no coroutine is begun, here and below: each costs as much as a header's
  // parsing.
  auto handout = token_at_once(*api_->client, granted);
  if (!handout) handout = co_await obtain_token(api_->client, std::move(granted));
  if (caller_gone_) co_return;
  if (!*handout) co_return co_await refuse_call(exchange_, handout->error(), api_.get(), {});
  token_ = std::move((*handout)->token);
  std::exception_ptr failure;
  try {
    co_await call_api();
  } catch (...) {
    failure = std::current_exception();
  }
  exchange_.on_caller_gone({});
  if (!failure) co_return;
  // What still runs uses this object, so it has to end first.
  if (connection_) connection_->abort();
  co_await pump_.finish();
  std::rethrow_exception(failure);
}

awaitable<void> ProxiedCall::call_api() {
  auto response = co_await get_response();
  while (response && !caller_gone_) {
    const auto answer = answer_to_response();
    if (answer == RejectionAnswer::pass_on) break;
    const bool again = co_await may_send_again(answer);
    if (!again) break;
    response = co_await get_response();
  }
  // A caller that broke off its own request hears of that, whatever the API made of the half of it.
  if (pump_.caller_failed()) response = std::unexpected(*pump_.caller_failed());
  if (response && !caller_gone_) co_return co_await relay();
  if (connection_) connection_->abort();
  co_await pump_.finish();
  if (caller_gone_) co_return;
  if (!pump_.caller_failed()) pool_->report(&response.error());
  co_await refuse(std::move(response.error()));
}

awaitable<void> ProxiedCall::refuse(Error error) {
  co_await refuse_call(exchange_, error, api_.get(), retried_);
}

awaitable<common::Result<void>> ProxiedCall::get_response() {
  // What may be sent again needs no certainty that it will not have to be.
  const auto certainty = is_idempotent(exchange_.request().method) && pump_.can_send_again()
                             ? UpstreamPool::Certainty::told
                             : UpstreamPool::Certainty::asked;
  bool repeated = false;
  while (true) {
    connection_ = repeated ? nullptr : pool_->take_idle(certainty);
    if (!connection_) {
      connection_ = pool_->make();
      if (auto opened = co_await pool_->open(connection_); !opened) co_return std::unexpected(opened.error());
    }
    if (caller_gone_) co_return common::fail(ErrorCode::internal_error, "the caller is gone");
    if (pump_.caller_failed()) co_return std::unexpected(*pump_.caller_failed());
    const bool was_used = connection_->uses++ > 0;
    connection_->took_bytes();
    buffer_.clear();
    heard_ = false;
    prove();
    pump_.send_on(connection_, {.head = head_, .proof = proof_}, token_);
    pump_.set_awaiting_head(true);
    auto head = co_await read_head();
    pump_.set_awaiting_head(false);
    if (head) co_return head;
    pump_.end_attempt();
    const bool nothing_came = !heard_ && !connection_->timed_out();
    connection_->abort();
    if (caller_gone_ || pump_.caller_failed() || !nothing_came ||
        !may_repeat({.method = exchange_.request().method,
                     .connection_was_used = was_used,
                     .sent_again = repeated,
                     .anything_sent = connection_->took_bytes(),
                     .body_can_be_sent = pump_.can_send_again()})) {
      co_return head;
    }
    repeated = true;
    api_->metrics->retry("connection");
  }
}

awaitable<common::Result<void>> ProxiedCall::read_head() {
  std::optional<common::BootTime> deadline;
  int informational = 0;
  while (true) {
    if (const auto size = http1::head_size(buffer_.text())) {
      auto parsed =
          http1::parse_response_head(buffer_.text().substr(0, *size), exchange_.request().method, response_);
      if (!parsed) co_return parsed;
      buffer_.consume(*size);
      if (response_.status >= 200) co_return common::Result<void>{};
      // 103 is only a hint; a 101 was never asked for.
      if (response_.status == 100) pump_.continue_with_body();
      if (response_.status == 101 || ++informational > max_informational) {
        co_return common::fail(ErrorCode::api_unreachable,
                               "the API answered with informational responses only");
      }
      continue;
    }
    buffer_.make_room();
    if (buffer_.size() >= longest_head)
      co_return common::fail(ErrorCode::api_unreachable, "the API's response head is over 64 KiB");
    if (!pump_.still_sends() && !pump_.waits_to_continue()) {
      if (!deadline) deadline = loop_.timers().now() + settings_.response_timeout;
      connection_->set_read_deadline(*deadline);
    }
    const auto read = co_await connection_->read(buffer_);
    if (read.kind == UpstreamConnection::Read::Kind::data) {
      heard_ = true;
    } else if (connection_->timed_out()) {
      co_return common::fail(
          ErrorCode::api_timeout,
          "the API did not answer within " + std::to_string(settings_.response_timeout.count()) + " ms");
    } else {
      co_return common::fail(ErrorCode::api_unreachable, "the API closed the connection without an answer");
    }
  }
}

// RFC 9449 section 7. Whatever is sent again bears a new proof.
void ProxiedCall::prove() {
  proof_.clear();
  if (!token_->binding) return;
  const auto target = head_.find(' ') + 1;
  const config::Url& base = settings_.base_url;
  std::string url{head_.substr(target, head_.find(' ', target) - target)};
  if (url.starts_with('/')) url.insert(0, std::string{base.tls ? "https://" : "http://"} + base.authority());
  const auto proof = dpop_proof(*token_->binding->key,
                                {.method = exchange_.request().method,
                                 .url = url,
                                 .access_token_hash = token_->binding->access_token_hash,
                                 .nonce = nonces_.of(base)},
                                loop_.timers().wall_now(), entropy_);
  proof_.append("DPoP: ").append(proof.reveal()).append("\r\n");
}

RejectionAnswer ProxiedCall::answer_to_response() {
  const auto nonce = token_->binding ? response_.find("DPoP-Nonce") : std::nullopt;
  const bool has_nonce = nonce && nonces_.remember(settings_.base_url, *nonce);
  return answer_to({.status = response_.status,
                    .retry_on_401 = settings_.retry_on_401,
                    .own_assertion = own_assertion_,
                    .sent_again = sent_again_,
                    .nonce_demanded = has_nonce && demands_nonce(response_),
                    .nonce_answered = nonce_answered_,
                    .body_can_be_sent = pump_.can_send_again() && !pump_.send_failed()});
}

awaitable<bool> ProxiedCall::may_send_again(RejectionAnswer answer) {
  switch (answer) {
    case RejectionAnswer::pass_on:
      co_return false;
    case RejectionAnswer::renew_and_pass_on:
      renew_in_background();
      co_return false;
    case RejectionAnswer::resend_with_nonce:
      nonce_answered_ = true;
      count_resending("dpop-nonce");
      break;
    case RejectionAnswer::renew_and_resend: {
      const bool renewed = co_await get_another_token();
      if (!renewed) co_return false;
      sent_again_ = true;
      count_resending("401");
      break;
    }
  }
  pump_.end_attempt();
  if (pump_.completely_sent() && response_.keep_alive && drain_now()) {
    pool_->put_back(connection_, std::nullopt);
  } else {
    connection_->abort();
  }
  co_return true;
}

awaitable<bool> ProxiedCall::get_another_token() {
  auto request = renewal();
  if (!request) co_return false;
  auto renewed = co_await obtain_token(api_->client, std::move(*request));
  if (caller_gone_ || pump_.caller_failed() || !pump_.can_send_again() || pump_.send_failed())
    co_return false;
  if (!renewed || renewed->token->version == token_->version) co_return false;
  token_ = std::move(renewed->token);
  co_return true;
}

void ProxiedCall::count_resending(std::string_view reason) {
  retried_.append(retried_.empty() ? "" : ", ").append(reason);
  api_->metrics->retry(reason);
}

std::optional<GrantedRequest> ProxiedCall::renewal() const {
  // Read once more instead of kept: the request is still there, and almost no request comes here.
  auto wanted = read_grantd_headers(exchange_.request());
  if (!wanted) return std::nullopt;
  auto granted = grant_request(*api_->client, api_.get(), std::move(*wanted), exchange_.peer().uid);
  if (!granted) return std::nullopt;
  granted->query.force_renewal = false;
  granted->query.rejected = token_->version;
  return std::move(*granted);
}

void ProxiedCall::renew_in_background() {
  auto request = renewal();
  if (request) loop_.spawn(renew(api_->client, std::move(*request)));
}

bool ProxiedCall::drain_now() {
  http1::BodyDecoder decoder{response_.body, http1::ChunkExtensions::ignored};
  std::size_t drained = 0;
  while (true) {
    while (!decoder.complete()) {
      const auto piece = decoder.next(buffer_.unused());
      if (!piece) return false;
      buffer_.consume(piece->consumed);
      if (piece->consumed == 0) break;
    }
    if (decoder.complete())
      return buffer_.empty() && response_.body.kind != http1::BodyLength::Kind::until_close;
    buffer_.make_room();
    const auto read = buffer_.full() ? std::nullopt : connection_->read_now(buffer_.space());
    if (!read || read->kind != UpstreamConnection::Read::Kind::data) return false;
    buffer_.filled(read->size);
    drained += read->size;
    if (drained > max_drained) return false;
  }
}

void ProxiedCall::report(ResponseRelay::End end) {
  if (end == ResponseRelay::End::complete) return pool_->report(nullptr);
  if (end == ResponseRelay::End::caller_gone || caller_gone_ || pump_.caller_failed()) return;
  const bool late = connection_->timed_out();
  const Error broken{.code = late ? ErrorCode::api_timeout : ErrorCode::api_unreachable,
                     .detail = late ? "the API was silent for too long within a response"
                                    : "the API broke off within a response"};
  pool_->report(&broken);
}

awaitable<void> ProxiedCall::relay() {
  auto framing = response_framing(exchange_.request(), response_);
  // An API that has answered well before it had the whole request may be given the rest of it; one that
  // refused, or closes, wants no more.
  const bool goes_on = pump_.still_sends() && response_.keep_alive && response_.status < 400;
  if (!goes_on && !exchange_.body_complete()) framing.keep_alive = false;
  std::string head, own_fields;
  if (!retried_.empty())
    own_fields.append(local_api::retried_header).append(": ").append(retried_).append("\r\n");
  head.reserve(512);
  append_response_head(head, exchange_.request(), response_, framing, own_fields);
  const auto keep_alive_field = response_.find("Keep-Alive");
  const auto api_keeps = keep_alive_field ? keep_alive_timeout(*keep_alive_field) : std::nullopt;
  api_->metrics->request(response_.status);
  if (pump_.completely_sent()) replay_.drop();

  ResponseRelay relay{{.timers = loop_.timers(),
                       .exchange = exchange_,
                       .connection = *connection_,
                       .buffer = buffer_,
                       .pipes = *pipes_,
                       .request = pump_},
                      std::move(head),
                      response_.body,
                      framing};
  const auto end = co_await relay.run(settings_.idle_timeout);
  report(end);
  if (goes_on && end == ResponseRelay::End::complete) co_await pump_.wait_until_sent();
  const bool usable = end == ResponseRelay::End::complete && response_.keep_alive &&
                      pump_.completely_sent() && buffer_.empty() &&
                      response_.body.kind != http1::BodyLength::Kind::until_close;
  if (!usable) connection_->abort();
  if (pump_.runs()) co_await pump_.finish();
  if (usable) pool_->put_back(std::move(connection_), api_keeps);
  if (end == ResponseRelay::End::complete)
    exchange_.finish_response(framing.keep_alive && exchange_.body_complete());
}

}  // namespace grantd::daemon
