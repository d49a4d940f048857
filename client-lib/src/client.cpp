// The public face: names and values in, routes of the local API out.
#include "grantd/client.hpp"

#include <utility>

#include "client-lib/src/connector.hpp"
#include "client-lib/src/json.hpp"
#include "client-lib/src/local_call.hpp"
#include "client-lib/src/request_head.hpp"
#include "client-lib/src/token_block.hpp"
#include "client-lib/src/token_call.hpp"
#include "common/local_api.hpp"

namespace grantd {

Client::Client(const ClientOptions& options) : connector_(std::make_shared<detail::Connector>(options)) {}

// What most calls are: no request to look at, and nothing that another thread writes.
Token Client::get_access_token(std::string_view name) const {
  Token token;
  const auto fill = [&token](const detail::TokenText& text) { detail::TokenBlock::fill(token, text); };
  if (!connector_->pages().copy(name, detail::PageSlot::usual_validity, fill))
    token = detail::get_token(*connector_, name, {}, {});
  return token;
}

Token Client::get_access_token(std::string_view name, const TokenRequest& request,
                               const std::stop_token& stop) const {
  Token token;
  const auto fill = [&token](const detail::TokenText& text) { detail::TokenBlock::fill(token, text); };
  if (stop.stop_requested() || !detail::copy_from_page(*connector_, name, request, fill))
    token = detail::get_token(*connector_, name, request, stop);
  return token;
}

HttpClient Client::http(std::string_view api) const { return HttpClient{connector_, api}; }

std::string Client::dpop_proof(std::string_view name, std::string_view method, std::string_view url,
                               const Token& token, std::string_view nonce, std::stop_token stop) const {
  detail::check_name(name);
  const std::string target = std::string{local_api::dpop_prefix}.append(name);
  detail::LocalRequest request{.method = "POST", .target = target};
  request.json.append("{\"method\":");
  detail::append_json_string(request.json, method);
  request.json.append(",\"url\":");
  detail::append_json_string(request.json, url);
  request.json.append(",\"version\":");
  detail::append_json_string(request.json, token.version());
  if (!nonce.empty()) {
    request.json.append(",\"nonce\":");
    detail::append_json_string(request.json, nonce);
  }
  request.json.append("}");
  const auto answer = detail::ask_daemon_or_throw(*connector_, request, std::move(stop));
  std::string proof;
  const bool read =
      detail::read_json_object(answer.body.reveal(), [&proof](const detail::JsonMember& member) {
        if (member.name == "dpop" && member.kind == detail::JsonKind::string) proof = member.text;
      });
  if (!read || proof.empty()) throw Error("daemon_unreachable", "the daemon's answer holds no proof");
  return proof;
}

void Client::evict(std::string_view name, const TokenRequest& which, std::stop_token stop) const {
  std::string target = detail::token_target(name);
  char before = '?';
  const auto parameter = [&](std::string_view key, std::string_view value) {
    if (value.empty()) return;
    target += std::exchange(before, '&');
    target.append(key).append("=").append(detail::percent_encoded(value));
  };
  parameter("scope", which.scope);
  for (const std::string& resource : which.resource) parameter("resource", resource);
  parameter("audience", which.audience);
  detail::ask_daemon_or_throw(*connector_, {.method = "DELETE", .target = target}, std::move(stop));
}

}  // namespace grantd
