// The short methods are all `send`; whatever happens to a request happens in one place.
#include "common/ascii.hpp"
#include "grantd/http.hpp"

#include <algorithm>
#include <utility>

#include "client-lib/src/api_call.hpp"
#include "client-lib/src/connector.hpp"
#include "client-lib/src/token_call.hpp"

namespace grantd {
namespace {

constexpr std::size_t max_body = std::size_t{256} << 20;

class MemoryTaker final : public detail::ApiResponseTaker {
 public:
  void head(const detail::ResponseHead& head) override { response = detail::to_response(head); }
  void body(std::string_view piece) override {
    if (response.body.size() + piece.size() > max_body) {
      throw Error("payload_too_large", "the response is too large to be held in memory: stream it");
    }
    response.body += piece;
  }

  Response response;
};

class StreamTaker final : public detail::ApiResponseTaker {
 public:
  explicit StreamTaker(const BodySink& sink) : sink_(sink) {}

  void head(const detail::ResponseHead& head) override { response = detail::to_response(head); }
  void body(std::string_view piece) override {
    if (sink_) sink_(response, piece);
  }

  Response response;

 private:
  const BodySink& sink_;
};

}  // namespace

bool IgnoreCase::operator()(std::string_view a, std::string_view b) const noexcept {
  return ascii::less_ignoring_case(a, b);
}

HttpClient::HttpClient(std::shared_ptr<detail::Connector> connector, std::string_view api)
    : connector_(std::move(connector)), api_(api) {
  detail::check_name(api_);
}

Response HttpClient::get(std::string_view path, std::stop_token stop) const {
  return send(Request{.path = std::string{path}}, std::move(stop));
}

Response HttpClient::head(std::string_view path, std::stop_token stop) const {
  return send(Request{.method = "HEAD", .path = std::string{path}}, std::move(stop));
}

Response HttpClient::post(std::string_view path, std::string_view body, std::string_view content_type,
                          std::stop_token stop) const {
  return send_body("POST", path, body, content_type, std::move(stop));
}

Response HttpClient::put(std::string_view path, std::string_view body, std::string_view content_type,
                         std::stop_token stop) const {
  return send_body("PUT", path, body, content_type, std::move(stop));
}

Response HttpClient::patch(std::string_view path, std::string_view body, std::string_view content_type,
                           std::stop_token stop) const {
  return send_body("PATCH", path, body, content_type, std::move(stop));
}

Response HttpClient::del(std::string_view path, std::stop_token stop) const {
  return send(Request{.method = "DELETE", .path = std::string{path}}, std::move(stop));
}

Response HttpClient::send(const Request& request, std::stop_token stop) const {
  MemoryTaker taker;
  detail::call_api(*connector_, api_, request, taker, std::move(stop));
  return std::move(taker.response);
}

Response HttpClient::send(const Request& request, const BodySource& source, const BodySink& sink,
                          std::stop_token stop) const {
  StreamTaker taker(sink);
  detail::stream_api(*connector_, api_, request, source, taker, std::move(stop));
  return std::move(taker.response);
}

// A request without a body has no type of one either.
Response HttpClient::send_body(std::string_view method, std::string_view path, std::string_view body,
                               std::string_view content_type, std::stop_token stop) const {
  const Request request{.method = std::string{method},
                        .path = std::string{path},
                        .body = std::string{body},
                        .content_type = std::string{body.empty() ? std::string_view{} : content_type}};
  return send(request, std::move(stop));
}

}  // namespace grantd
