#include "daemon/server/dpop_handler.hpp"

#include <nlohmann/json.hpp>

#include "common/local_api.hpp"
#include "common/syntax.hpp"
#include "daemon/oauth/dpop_proof.hpp"
#include "daemon/server/problem.hpp"
#include "daemon/server/tokens_handler.hpp"

namespace grantd::daemon {

using common::ErrorCode;
using common::fail;
using common::Result;

namespace {

// The proof goes into a header, and servers refuse heads over 8 KiB.
constexpr std::size_t longest_url = 4096;

/// What is to be proven, and for which token.
struct ProofWish {
  std::string method{};
  std::string url{};
  std::string version{};
  std::string nonce{};
};

Result<ProofWish> parse_wish(std::string_view text) {
  ProofWish wish;
  const auto document = nlohmann::json::parse(text, nullptr, false);
  if (!document.is_object()) return fail(ErrorCode::invalid_request, "the body must be a JSON object");
  for (const auto& [name, value] : document.items()) {
    std::string* const member = name == "method"    ? &wish.method
                                : name == "url"     ? &wish.url
                                : name == "version" ? &wish.version
                                : name == "nonce"   ? &wish.nonce
                                                    : nullptr;
    if (member == nullptr || !value.is_string()) {
      return fail(ErrorCode::invalid_request,
                  "the body may hold the members method, url, version and nonce, each a string");
    }
    *member = value.get<std::string>();
  }
  return wish;
}

Result<void> check(const ProofWish& wish) {
  if (!syntax::is_token(wish.method)) {
    return fail(ErrorCode::invalid_request, "method must be that of the HTTP request, such as GET");
  }
  // Query and fragment are no part of what is proven.
  const auto url = config::Url::parse(std::string_view{wish.url}.substr(0, wish.url.find_first_of("?#")));
  if (!url || wish.url.size() > longest_url) {
    return fail(ErrorCode::invalid_request,
                "url must be the absolute http or https URL of the request, of at most " +
                    std::to_string(longest_url) + " characters and without a user");
  }
  if (!wish.nonce.empty() && !syntax::is_dpop_nonce(wish.nonce)) {
    return fail(ErrorCode::invalid_request,
                "nonce must be what stood in a DPoP-Nonce header (RFC 9449 section 8.1)");
  }
  return {};
}

}  // namespace

awaitable<void> DpopHandler::handle(Exchange& exchange, std::string name) {
  auto client = admission_.find(exchange, name, Use::token, timers_.now());
  Result<common::Secret> proof = fail(ErrorCode::internal_error, {});
  if (!client) {
    proof = std::unexpected(std::move(client.error()));
  } else {
    auto body = co_await read_whole_body(exchange, local_api::max_request_json, timers_);
    // While it came, definition and rules may have become others.
    if (body) client = admission_.find(exchange, name, Use::token, timers_.now());
    if (!body) {
      proof = std::unexpected(std::move(body.error()));
    } else if (!client) {
      proof = std::unexpected(std::move(client.error()));
    } else {
      proof = prove(**client, body->reveal());
    }
  }
  LocalResponse response{.extra_headers = "Cache-Control: no-store\r\n"};
  if (proof) {
    response.body.append("{\"dpop\":\"").append(proof->reveal()).append("\"}");
  } else {
    response = problem_response(proof.error(), name);
  }
  co_await exchange.respond(std::move(response));
}

Result<common::Secret> DpopHandler::prove(const CatalogClient& client, std::string_view json) {
  const auto wish = parse_wish(json);
  if (!wish) return std::unexpected(wish.error());
  if (auto good = check(*wish); !good) return std::unexpected(std::move(good.error()));
  const auto binding = client.tokens->binding_of(wish->version);
  if (!binding) {
    return fail(
        ErrorCode::not_found,
        "no DPoP token of this definition that is still valid has this version: ask for the token again");
  }
  return dpop_proof(*binding->key,
                    {.method = wish->method,
                     .url = wish->url,
                     .access_token_hash = binding->access_token_hash,
                     .nonce = wish->nonce},
                    timers_.wall_now(), entropy_);
}

}  // namespace grantd::daemon
