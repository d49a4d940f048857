// The proxy is addressed by path rather than by Host, so that no name of an API can be taken for the daemon's
// own.
#include "client-lib/src/api_call.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include "client-lib/src/local_call.hpp"
#include "client-lib/src/request_head.hpp"
#include "client-lib/src/token_call.hpp"
#include "common/ascii.hpp"
#include "common/local_api.hpp"

namespace grantd::detail {
namespace {

constexpr std::size_t max_problem = std::size_t{1} << 20;

class ProxyTaker final : public ResponseTaker {
 public:
  explicit ProxyTaker(ApiResponseTaker& taker) : taker_(taker) {}

  void head(const ResponseHead& head) override {
    own_ = head.find(local_api::error_header).has_value();
    if (own_) {
      head_ = head;
    } else {
      taker_.head(head);
    }
  }
  void body(std::string_view piece) override {
    if (!own_) {
      taker_.body(piece);
    } else if (problem_.size() + piece.size() <= max_problem) {
      problem_ += piece;
    } else {
      throw_problem(head_, problem_);
    }
  }
  void broken_off() override {
    if (own_) throw_problem(head_, problem_);
    throw Error("api_unreachable", "the API's response broke off before its end");
  }
  /// Once the response is complete.
  void finish() const {
    if (own_) throw_problem(head_, problem_);
  }

 private:
  ApiResponseTaker& taker_;
  bool own_ = false;
  ResponseHead head_;
  std::string problem_;
};

std::string target_of(std::string_view api, std::string_view path) {
  check_name(api);
  if (path.starts_with("http://") || path.starts_with("https://")) {
    refuse("the path is relative to the API's base_url, it is no URL of its own");
  }
  if (path.starts_with('/')) path.remove_prefix(1);
  return std::string{local_api::proxy_prefix}.append(api).append("/").append(path);
}

void write_headers(RequestHead& head, const Request& request) {
  constexpr std::array reserved{std::string_view{"Host"},       std::string_view{"Content-Length"},
                                std::string_view{"Connection"}, std::string_view{"Transfer-Encoding"},
                                std::string_view{"Keep-Alive"}, std::string_view{"Proxy-Connection"},
                                std::string_view{"TE"},         std::string_view{"Trailer"},
                                std::string_view{"Upgrade"},    std::string_view{"Expect"}};
  for (const auto& [name, value] : request.headers) {
    const std::string_view given = name;
    const auto is_given = [given](std::string_view other) {
      return ascii::equal_ignoring_case(given, other);
    };
    if (std::ranges::any_of(reserved, is_given)) {
      refuse("the header " + name + " belongs to the connection and cannot be set");
    }
    if (ascii::starts_with_ignoring_case(given, local_api::header_prefix)) {
      refuse("headers of the prefix Grantd- are set by Request::token");
    }
    if (is_given("Content-Type") && !request.content_type.empty()) refuse("Content-Type is given twice");
    head.field(name, value);
  }
  if (!request.content_type.empty()) head.field("Content-Type", request.content_type);
}

void write_wishes(RequestHead& head, const TokenRequest& token) {
  const auto optional = [&head](std::string_view name, std::string_view value) {
    if (!value.empty()) head.field(name, value);
  };
  optional(local_api::scope_header, token.scope);
  for (const std::string& resource : token.resource) optional(local_api::resource_header, resource);
  optional(local_api::audience_header, token.audience);
  std::string parameters;
  for (const auto& [name, value] : token.parameters) {
    if (!parameters.empty()) parameters += '&';
    parameters += percent_encoded(name) + '=' + percent_encoded(value);
  }
  optional(local_api::parameters_header, parameters);
  optional(local_api::assertion_header, token.assertion);
  if (token.min_valid) head.field(local_api::min_valid_header, std::to_string(token.min_valid->count()));
  optional(local_api::rejected_header, token.rejected);
  if (token.force_renewal) head.field(local_api::force_renewal_header, "true");
}

void write_framing(RequestHead& head, const Request& request, const BodySource* source) {
  const bool expects_body = request.method == "POST" || request.method == "PUT" || request.method == "PATCH";
  if (source && !source->size) {
    head.chunked();
  } else if (source) {
    head.content_length(*source->size);
  } else if (!request.body.empty() || expects_body) {
    head.content_length(request.body.size());
  }
}

// RFC 9110 section 9.2.2.
bool is_idempotent(std::string_view method) {
  return method == "GET" || method == "HEAD" || method == "OPTIONS" || method == "PUT" || method == "DELETE";
}

void call(Connector& connector, std::string_view api, const Request& request, const BodySource* source,
          bool streamed, ApiResponseTaker& taker, std::stop_token stop) {
  if (source && !source->read) source = nullptr;
  if (source && !request.body.empty()) refuse("a request has one body: its own, or that of a source");
  RequestHead head(request.method, target_of(api, request.path));
  write_headers(head, request);
  write_wishes(head, request.token);
  write_framing(head, request, source);
  const OutgoingRequest outgoing{.head = std::move(head).finish(),
                                 .body = request.body,
                                 .source = source,
                                 .is_head = request.method == "HEAD",
                                 .repeatable = is_idempotent(request.method),
                                 .streamed = streamed};
  ProxyTaker proxy(taker);
  connector.run(outgoing, proxy, std::move(stop));
  proxy.finish();
}

}  // namespace

void call_api(Connector& connector, std::string_view api, const Request& request, ApiResponseTaker& taker,
              std::stop_token stop) {
  call(connector, api, request, nullptr, false, taker, std::move(stop));
}

void stream_api(Connector& connector, std::string_view api, const Request& request, const BodySource& source,
                ApiResponseTaker& taker, std::stop_token stop) {
  call(connector, api, request, &source, true, taker, std::move(stop));
}

Response to_response(const ResponseHead& head) {
  Response response{.status = head.status};
  for (const auto& [name, value] : head.fields) response.headers.emplace(name, value);
  return response;
}

}  // namespace grantd::detail
