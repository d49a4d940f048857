// Requests come from local processes that may well be hostile to each other's APIs, so everything that two
// readers could take differently is refused rather than repaired.
#include <algorithm>

#include "common/ascii.hpp"
#include "daemon/http1/beast_parser.hpp"

namespace grantd::daemon::http1 {
namespace {

// RFC 9110 section 7.2 without the comma, which would make a list of it.
constexpr std::string_view host_characters =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~%!$&'()*+;=:[]";

class RequestParser final : public BeastParser<true> {
 public:
  explicit RequestParser(RequestHead& head) : request_(head) {}
  std::optional<std::string_view> run(std::string_view bytes);

 private:
  void on_request_impl(boost::beast::http::verb, string_view method, string_view target, int version,
                       error_code& failure) override;
  void on_response_impl(int, string_view, int, error_code&) override {}
  void on_field(field name, std::string_view value, error_code& failure) override;
  std::optional<std::string_view> split_target();

  RequestHead& request_;
  bool has_host_ = false;
  bool has_upgrade_ = false;
};

void RequestParser::on_request_impl(boost::beast::http::verb, string_view method, string_view target,
                                    int version, error_code& failure) {
  request_.method = as_std(method);
  request_.target = as_std(target);
  if (accept_version(version, failure)) {
    if (const auto wrong = split_target()) refuse(*wrong, failure);
  }
}

std::optional<std::string_view> RequestParser::split_target() {
  const std::string_view target = request_.target;
  const auto is_visible = [](char c) { return ascii::is_visible(c) && c != '#'; };
  if (!std::ranges::all_of(target, is_visible))
    return "the request target holds a character that must be encoded";
  if (target == "*") {
    if (request_.method != "OPTIONS") return "the request target * is for OPTIONS only";
  } else if (!target.starts_with('/')) {
    return "the request target must be a path that begins with a slash";
  }
  const auto question = std::min(target.find('?'), target.size());
  request_.path = target.substr(0, question);
  if (question < target.size()) request_.query = target.substr(question + 1);
  return std::nullopt;
}

void RequestParser::on_field(field name, std::string_view value, error_code& failure) {
  switch (name) {
    case field::host:
      if (has_host_) return refuse("Host is there twice", failure);
      if (value.find_first_not_of(host_characters) != std::string_view::npos) {
        return refuse("Host holds a character that no host name has", failure);
      }
      has_host_ = true;
      request_.host = value;
      break;
    case field::expect:
      request_.expects_continue = ascii::equal_ignoring_case(value, "100-continue");
      break;
    case field::upgrade:
      has_upgrade_ = true;
      break;
    default:
      break;
  }
}

std::optional<std::string_view> RequestParser::run(std::string_view bytes) {
  if (const auto wrong = parse(bytes, request_)) return wrong;
  if (!has_host_ && request_.minor_version == 1) return "an HTTP/1.1 request needs a Host header";
  using Kind = BodyLength::Kind;
  if (framing_.chunked()) {
    request_.body = {Kind::chunked, 0};
  } else if (framing_.content_length()) {
    request_.body = {Kind::fixed, *framing_.content_length()};
  }
  const bool has_body = request_.body.kind == Kind::chunked || request_.body.size > 0;
  request_.expects_continue = request_.expects_continue && has_body && request_.minor_version == 1;
  request_.wants_upgrade = has_upgrade_ && framing_.connection_names_upgrade();
  return std::nullopt;
}

}  // namespace

common::Result<void> parse_request_head(std::string_view bytes, RequestHead& head) {
  auto fields = std::move(head.fields);
  head = RequestHead{};
  head.fields = std::move(fields);
  if (const auto wrong = RequestParser{head}.run(bytes)) {
    // Its target is an authority, so it fails here; 405 says more than 400 would.
    const bool connect = head.method == "CONNECT" && head.path.empty();
    return common::fail(connect ? common::ErrorCode::method_not_allowed : common::ErrorCode::invalid_request,
                        connect ? std::string{"CONNECT is not offered"} : std::string{*wrong});
  }
  return {};
}

}  // namespace grantd::daemon::http1
