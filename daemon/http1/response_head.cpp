// Responses come from APIs and go on to callers. One whose length is ambiguous is no response at all: the
// connection it came on could otherwise hand one caller's answer to the next.
#include "daemon/http1/beast_parser.hpp"

namespace grantd::daemon::http1 {
namespace {

class ResponseParser final : public BeastParser<false> {
 public:
  explicit ResponseParser(ResponseHead& head) : response_(head) {}
  std::optional<std::string_view> run(std::string_view bytes, std::string_view request_method);

 private:
  void on_request_impl(boost::beast::http::verb, string_view, string_view, int, error_code&) override {}
  void on_response_impl(int status, string_view reason, int version, error_code& failure) override;
  BodyLength body_length(std::string_view request_method) const;

  ResponseHead& response_;
};

void ResponseParser::on_response_impl(int status, string_view reason, int version, error_code& failure) {
  response_.status = status;
  response_.reason = as_std(reason);
  if (!accept_version(version, failure)) return;
  if (status < 100 || status > 999) refuse("the status is not a number from 100 to 999", failure);
}

BodyLength ResponseParser::body_length(std::string_view request_method) const {
  using Kind = BodyLength::Kind;
  const int status = response_.status;
  if (status < 200 || status == 204 || status == 304 || request_method == "HEAD") return {Kind::none, 0};
  if (framing_.chunked()) return {Kind::chunked, 0};
  if (framing_.content_length()) return {Kind::fixed, *framing_.content_length()};
  return {Kind::until_close, 0};
}

std::optional<std::string_view> ResponseParser::run(std::string_view bytes, std::string_view request_method) {
  if (const auto wrong = parse(bytes, response_)) return wrong;
  response_.body = body_length(request_method);
  if (response_.body.kind == BodyLength::Kind::until_close) response_.keep_alive = false;
  return std::nullopt;
}

}  // namespace

common::Result<void> parse_response_head(std::string_view bytes, std::string_view request_method,
                                         ResponseHead& head) {
  auto fields = std::move(head.fields);
  head = ResponseHead{};
  head.fields = std::move(fields);
  if (const auto wrong = ResponseParser{head}.run(bytes, request_method)) {
    return common::fail(common::ErrorCode::api_unreachable,
                        "the API's response is malformed: " + std::string{*wrong});
  }
  return {};
}

}  // namespace grantd::daemon::http1
