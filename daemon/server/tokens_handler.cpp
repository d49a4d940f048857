// A plain GET of a cached token is what nearly every request is: it takes no detour over query parsing or a
// waiting coroutine. Everything else goes through the same rules in grant_request.
#include "daemon/server/tokens_handler.hpp"

#include "common/fetch_ahead.hpp"
#include "common/local_api.hpp"
#include "daemon/loop/await_done.hpp"
#include "daemon/server/problem.hpp"
#include "daemon/server/token_document.hpp"
#include "daemon/server/token_wishes.hpp"

namespace grantd::daemon {

using common::Error;
using common::ErrorCode;
using common::fail;
using common::Result;

namespace {

// From its first byte to its last, however lively it comes.
constexpr std::chrono::seconds longest_body{60};

}  // namespace

awaitable<void> TokensHandler::handle(Exchange& exchange, std::string client) {
  const std::string_view method = exchange.request().method;
  if (method == "GET" || method == "HEAD") return get(exchange, std::move(client), As::document);
  if (method == "POST") return post(exchange, std::move(client), As::document);
  if (method == "DELETE") return evict(exchange, std::move(client));
  return exchange.respond(method_not_allowed("GET, HEAD, POST, DELETE"));
}

awaitable<void> TokensHandler::handle_page(Exchange& exchange, std::string client) {
  const std::string_view method = exchange.request().method;
  if (method == "GET") return get(exchange, std::move(client), As::page);
  if (method == "POST") return post(exchange, std::move(client), As::page);
  return exchange.respond(method_not_allowed("GET, POST"));
}

awaitable<void> TokensHandler::get(Exchange& exchange, std::string name, As as) {
  if (as == As::page || !exchange.request().query.empty())
    return get_with_wishes(exchange, std::move(name), as);
  const auto now = timers_.now();
  const auto client = admission_.find(exchange, name, Use::token, now);
  if (!client) return exchange.respond(problem_response(client.error(), name));
  const auto at_once = (*client)->tokens->get_own_now(exchange.peer().uid, now);
  if (!at_once) return get_with_wishes(exchange, std::move(name), as);
  return answer(exchange, **client, *at_once, now);
}

awaitable<void> TokensHandler::get_with_wishes(Exchange& exchange, std::string name, As as) {
  auto client = admission_.find(exchange, name, Use::token, timers_.now());
  if (!client) {
    co_await exchange.respond(problem_response(client.error(), name));
    co_return;
  }
  auto wishes = parse_token_query(exchange.request().query, true);
  if (!wishes) {
    co_await exchange.respond(problem_response(wishes.error(), name));
    co_return;
  }
  co_await hand_out(exchange, (*client)->shared_from_this(), std::move(*wishes), as);
}

awaitable<void> TokensHandler::post(Exchange& exchange, std::string name, As as) {
  auto client = admission_.find(exchange, name, Use::token, timers_.now());
  if (!client) {
    co_await exchange.respond(problem_response(client.error(), name));
    co_return;
  }
  auto wishes = Result<CallerRequest>{};
  if (!exchange.request().query.empty()) {
    wishes = fail(ErrorCode::invalid_request, "a POST takes its wishes from a JSON body, not from the query");
  } else {
    const auto body = co_await read_whole_body(exchange, local_api::max_request_json, timers_);
    wishes = body ? parse_token_json(body->reveal()) : std::unexpected(body.error());
    // While the body came, definition and rules may have become others.
    if (wishes) client = admission_.find(exchange, name, Use::token, timers_.now());
    if (!client) wishes = std::unexpected(client.error());
  }
  if (!wishes) {
    co_await exchange.respond(problem_response(wishes.error(), name));
    co_return;
  }
  co_await hand_out(exchange, (*client)->shared_from_this(), std::move(*wishes), as);
}

awaitable<void> TokensHandler::hand_out(Exchange& exchange, std::shared_ptr<CatalogClient> client,
                                        CallerRequest wishes, As as) {
  auto granted = grant_request(*client, nullptr, std::move(wishes), exchange.peer().uid);
  if (!granted) {
    audit_refusal(exchange, client->settings->name, granted.error());
    co_await exchange.respond(problem_response(granted.error(), client->settings->name));
    co_return;
  }
  const Variant variant = as == As::page ? granted->query.variant : Variant{};
  const HandoutResult result = co_await obtain_token(client, std::move(*granted));
  if (as == As::page) {
    co_await answer_with_page(exchange, *client, variant, result);
  } else {
    co_await answer(exchange, *client, result, timers_.now());
  }
}

awaitable<void> TokensHandler::answer(Exchange& exchange, const CatalogClient& client,
                                      const HandoutResult& result, common::BootTime now) {
  const std::string& name = client.settings->name;
  if (!result) return exchange.respond(problem_response(result.error(), name));
  common::fetch_ahead(result->token->document.get());
  audit(exchange, name, *result->token);
  auto document = token_document(*result->token, name, now);
  const std::string* const text = &document->text;
  return exchange.respond({.shared_body = {std::move(document), text}, .fixed_headers = no_store});
}

// Where there can be no page the caller gets the token itself, so that it need not ask twice.
awaitable<void> TokensHandler::answer_with_page(Exchange& exchange, const CatalogClient& client,
                                                const Variant& variant, const HandoutResult& result) {
  const std::string& name = client.settings->name;
  if (!result) {
    co_await exchange.respond(problem_response(result.error(), name));
    co_return;
  }
  const Token& token = *result->token;
  audit(exchange, name, token);
  const auto response = [&](bool with_page) {
    return LocalResponse{.body = page_document(token, name, timers_.now(), with_page),
                         .fixed_headers = no_store};
  };
  if (const auto page = client.tokens->page_of(variant, token)) {
    LocalResponse without_token = response(true);
    const bool passed = co_await exchange.respond_passing(page.get(), std::move(without_token));
    if (passed) co_return;
  }
  LocalResponse with_token = response(false);
  co_await exchange.respond(std::move(with_token));
}

void TokensHandler::audit(const Exchange& exchange, const std::string& client, const Token& token) {
  const PeerIdentity& peer = exchange.peer();
  const auto [kind, recipient] = note_handout(token, peer.uid, peer.unit);
  if (kind == HandoutKind::told || (kind == HandoutKind::untold && !audit_.may_tell(peer.uid))) return;
  const HandedOut what{.client = client, .scope = token.scope, .fingerprint = token.version};
  if (audit_.handed_out(peer, what, kind == HandoutKind::first)) recipient.told = true;
}

void TokensHandler::audit_refusal(const Exchange& exchange, const std::string& client, const Error& error) {
  if (error.code == ErrorCode::access_denied) audit_.refused(exchange.peer(), {"client", client});
}

namespace {

awaitable<Result<void>> drop(std::shared_ptr<CatalogClient> client, std::optional<Variant> variant,
                             uid_t uid) {
  auto evict = [&client, &variant, uid](auto done) { client->tokens->evict(variant, uid, std::move(done)); };
  co_return co_await await_done<Result<void>>(std::move(evict));
}

}  // namespace

awaitable<void> TokensHandler::evict(Exchange& exchange, std::string name) {
  const auto client = admission_.find(exchange, name, Use::definition, timers_.now());
  auto done = Result<void>{};
  if (!client) {
    done = std::unexpected(client.error());
  } else if (auto wishes = parse_token_query(exchange.request().query, false); !wishes) {
    done = std::unexpected(wishes.error());
  } else if (wishes->scope.empty() && wishes->resource.empty() && wishes->audience.empty()) {
    done = co_await drop((*client)->shared_from_this(), std::nullopt, exchange.peer().uid);
  } else if (auto granted = grant_request(**client, nullptr, std::move(*wishes), exchange.peer().uid);
             !granted) {
    audit_refusal(exchange, name, granted.error());
    done = std::unexpected(granted.error());
  } else {
    done =
        co_await drop((*client)->shared_from_this(), std::move(granted->query.variant), exchange.peer().uid);
  }
  LocalResponse response{.status = 204, .content_type = {}};
  if (!done) response = problem_response(done.error(), name);
  co_await exchange.respond(std::move(response));
}

awaitable<Result<common::Secret>> read_whole_body(Exchange& exchange, std::size_t limit,
                                                  const common::TimerQueue& timers) {
  const std::string too_large = "the request's body may have " + std::to_string(limit) + " bytes at most";
  if (exchange.request().body.size > limit) co_return fail(ErrorCode::payload_too_large, too_large);
  common::Secret body;
  const auto deadline = timers.now() + longest_body;
  while (!exchange.body_complete()) {
    const auto piece = co_await exchange.read_body();
    if (!piece) co_return std::unexpected(piece.error());
    if (timers.now() > deadline) {
      co_return fail(ErrorCode::request_timeout, "the request's body must have arrived within " +
                                                     std::to_string(longest_body.count()) + " s");
    }
    if (body.size() + piece->size() > limit) co_return fail(ErrorCode::payload_too_large, too_large);
    body.append({piece->data(), piece->size()});
  }
  co_return std::move(body);
}

}  // namespace grantd::daemon
