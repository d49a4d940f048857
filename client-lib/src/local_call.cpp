// The daemon's own routes: small JSON both ways, held in memory that is wiped, for some of it is a token.
#include "client-lib/src/local_call.hpp"

#include <algorithm>
#include <charconv>
#include <utility>

#include "client-lib/src/json.hpp"
#include "client-lib/src/request_head.hpp"
#include "common/ascii.hpp"
#include "common/local_api.hpp"

namespace grantd::detail {
namespace {

constexpr std::size_t max_answer = std::size_t{16} << 20;

bool is_success(const ResponseHead& head) { return head.status >= 200 && head.status <= 299; }

class AnswerTaker final : public ResponseTaker {
 public:
  void head(const ResponseHead& head) override { answer.head = head; }
  void body(std::string_view piece) override {
    if (sink && is_success(answer.head)) return sink(piece);
    if (answer.body.size() + piece.size() > max_answer) {
      throw Error("daemon_unreachable", "the daemon's answer is larger than any of grantd's");
    }
    answer.body.append(piece);
  }
  void descriptor(OwnDescriptor passed) override { answer.descriptor = std::move(passed); }
  void broken_off() override { throw Error("daemon_unreachable", "the daemon's answer broke off"); }

  LocalAnswer answer;
  std::function<void(std::string_view)> sink;  // of a success; empty: it is kept
};

bool is_code(std::string_view text) {
  const auto fits = [](char c) { return (c >= 'a' && c <= 'z') || ascii::is_digit(c) || c == '_'; };
  return !text.empty() && text.size() <= 64 && std::ranges::all_of(text, fits);
}

std::optional<std::chrono::seconds> seconds(std::string_view text) {
  int value = 0;
  const auto result = std::from_chars(text.data(), text.data() + text.size(), value);
  if (result.ec != std::errc{} || result.ptr != text.data() + text.size() || value < 0) return std::nullopt;
  return std::chrono::seconds{value};
}

void run(Connector& connector, const LocalRequest& request, AnswerTaker& taker, std::stop_token stop) {
  RequestHead head(request.method, request.target);
  if (!request.json.empty()) {
    head.field("Content-Type", "application/json");
    head.content_length(request.json.size());
  } else if (request.method == "POST") {
    head.content_length(0);
  }
  const OutgoingRequest outgoing{.head = std::move(head).finish(),
                                 .body = request.json.reveal(),
                                 .is_head = request.method == "HEAD",
                                 .repeatable = true};
  connector.run(outgoing, taker, std::move(stop));
}

}  // namespace

LocalAnswer ask_daemon(Connector& connector, const LocalRequest& request, std::stop_token stop) {
  AnswerTaker taker;
  run(connector, request, taker, std::move(stop));
  return std::move(taker.answer);
}

void stream_daemon(Connector& connector, const LocalRequest& request,
                   const std::function<void(std::string_view)>& sink, std::stop_token stop) {
  AnswerTaker taker;
  taker.sink = sink;
  run(connector, request, taker, std::move(stop));
  if (!is_success(taker.answer.head)) throw_problem(taker.answer.head, taker.answer.body.reveal());
}

LocalAnswer ask_daemon_or_throw(Connector& connector, const LocalRequest& request, std::stop_token stop) {
  LocalAnswer answer = ask_daemon(connector, request, std::move(stop));
  if (!is_success(answer.head)) throw_problem(answer.head, answer.body.reveal());
  return answer;
}

void throw_problem(const ResponseHead& head, std::string_view body) {
  std::string code;
  std::string sentence;
  std::string concerned;
  Error::Details details{.http_status = head.status};
  // A document with a mistake in it still gives what stood before the mistake.
  read_json_object(body, [&](const JsonMember& member) {
    if (member.name == "retry_after" && member.kind == JsonKind::number) {
      details.retry_after = seconds(member.text);
    }
    if (member.kind != JsonKind::string) return;
    if (member.name == "code") code = member.text;
    if (member.name == "detail") sentence = member.text;
    if (member.name == "client" || member.name == "api") concerned = member.text;
    if (member.name == "oauth_error") details.oauth_error = member.text;
    if (member.name == "oauth_error_description") details.oauth_error_description = member.text;
  });
  if (const auto given = head.find(local_api::error_header)) code = *given;
  if (!is_code(code)) code = "internal_error";
  if (!details.retry_after) {
    if (const auto given = head.find("Retry-After")) details.retry_after = seconds(*given);
  }
  if (sentence.empty()) sentence = "the daemon answered with status " + std::to_string(head.status);
  if (!details.oauth_error.empty() && sentence.find(details.oauth_error) == std::string::npos) {
    sentence += ": " + details.oauth_error;
    if (!details.oauth_error_description.empty()) sentence += ", " + details.oauth_error_description;
  }
  if (!concerned.empty()) sentence.insert(0, concerned + ": ");
  throw Error(code, sentence, std::move(details));
}

}  // namespace grantd::detail
