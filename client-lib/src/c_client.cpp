// The C interface is a second face of the same inside: nothing is decided here.
#include <string.h>

#include <string>
#include <utility>
#include <vector>

#include "client-lib/src/c_error.hpp"
#include "client-lib/src/c_request.hpp"
#include "client-lib/src/c_token.hpp"
#include "client-lib/src/client_parts.hpp"
#include "client-lib/src/connector.hpp"
#include "client-lib/src/token_block.hpp"
#include "client-lib/src/token_call.hpp"
#include "grantd/client.hpp"
#include "grantd/grantd.h"

struct grantd_client {
  grantd::Client client;
};

struct grantd_response {
  grantd::Response response;
  std::vector<grantd_pair> headers;
};

namespace grantd::detail {
namespace {

CToken to_c(const Token& token) { return make_c_token(TokenBlock::text(token)); }

CToken get_token_for_c(Connector& connector, std::string_view name, const grantd_token_request* given) {
  CToken token;
  const auto fill = [&token](const TokenText& text) { token = make_c_token(text); };
  if (given == nullptr) {
    if (!connector.pages().copy(name, PageSlot::usual_validity, fill))
      token = to_c(get_token(connector, name, {}, {}));
    return token;
  }
  const TokenRequest request = to_token_request(given);
  if (!copy_from_page(connector, name, request, fill)) token = to_c(get_token(connector, name, request, {}));
  return token;
}

}  // namespace
}  // namespace grantd::detail

using grantd::detail::ClientParts;
using grantd::detail::Connector;
using grantd::detail::get_token_for_c;
using grantd::detail::require;
using grantd::detail::run_for_c;
using grantd::detail::text_or_empty;

grantd_status grantd_client_new(const grantd_client_options* options, grantd_client** client,
                                grantd_error** error) {
  *client = nullptr;
  return run_for_c(error,
                   [&] { *client = new grantd_client{grantd::Client{grantd::detail::to_options(options)}}; });
}

void grantd_client_free(grantd_client* client) { delete client; }

grantd_status grantd_get_access_token(grantd_client* client, const char* name,
                                      const grantd_token_request* request, grantd_token** token,
                                      grantd_error** error) {
  *token = nullptr;
  return run_for_c(error, [&] {
    require(client, "the client");
    Connector& connector = ClientParts::connector(client->client);
    *token = get_token_for_c(connector, text_or_empty(name), request).release();
  });
}

grantd_status grantd_evict(grantd_client* client, const char* name, const grantd_token_request* which,
                           grantd_error** error) {
  return run_for_c(error, [&] {
    require(client, "the client");
    client->client.evict(text_or_empty(name), grantd::detail::to_token_request(which));
  });
}

grantd_status grantd_dpop_proof(grantd_client* client, const char* name, const char* method, const char* url,
                                const grantd_token* token, const char* nonce, char** proof,
                                grantd_error** error) {
  *proof = nullptr;
  return run_for_c(error, [&] {
    require(client, "the client");
    require(token, "the token");
    const grantd::Token known{grantd::Token::Parts{.version = token->version()}};
    const std::string made = client->client.dpop_proof(text_or_empty(name), text_or_empty(method),
                                                       text_or_empty(url), known, text_or_empty(nonce));
    auto* const copy = new char[made.size() + 1];
    ::memcpy(copy, made.c_str(), made.size() + 1);
    *proof = copy;
  });
}

void grantd_string_free(char* string) { delete[] string; }

grantd_status grantd_send(grantd_client* client, const char* api, const grantd_request* request,
                          grantd_response** response, grantd_error** error) {
  *response = nullptr;
  return run_for_c(error, [&] {
    require(client, "the client");
    require(request, "the request");
    const auto outgoing = grantd::detail::to_request(request);
    auto made = std::make_unique<grantd_response>(client->client.http(text_or_empty(api)).send(outgoing));
    for (const auto& [name, value] : made->response.headers)
      made->headers.push_back({.name = name.c_str(), .value = value.c_str()});
    *response = made.release();
  });
}

int grantd_response_status(const grantd_response* response) { return response->response.status; }

const char* grantd_response_body(const grantd_response* response, size_t* length) {
  if (length != nullptr) *length = response->response.body.size();
  return response->response.body.c_str();
}

const char* grantd_response_header(const grantd_response* response, const char* name) {
  const auto [first, last] = response->response.headers.equal_range(text_or_empty(name));
  return first != last ? first->second.c_str() : nullptr;
}

size_t grantd_response_header_count(const grantd_response* response) { return response->headers.size(); }

grantd_pair grantd_response_header_at(const grantd_response* response, size_t index) {
  return index < response->headers.size() ? response->headers[index] : grantd_pair{};
}

void grantd_response_free(grantd_response* response) { delete response; }
