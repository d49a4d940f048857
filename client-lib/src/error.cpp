// Whatever reaches a sentence may come from a server; it is made harmless here, at the one place where all
// sentences pass.
#include "grantd/error.hpp"
#include "common/ascii.hpp"

#include <utility>

namespace grantd {
namespace {

constexpr std::size_t max_sentence = 2048;

std::string printable(std::string_view text) {
  std::string out{text.substr(0, max_sentence)};
  for (char& c : out) {
    if (ascii::is_control(c)) c = ' ';
  }
  return out;
}

}  // namespace

struct Error::State {
  std::string code;
  Details details;
};

Error::Error(std::string_view code, std::string_view sentence) : Error(code, sentence, Details{}) {}

Error::Error(std::string_view code, std::string_view sentence, Details details)
    : std::runtime_error(printable(sentence)),
      state_(std::make_shared<const State>(State{.code = std::string{code}, .details = std::move(details)})) {
}

Error::Error(const Error&) noexcept = default;
Error& Error::operator=(const Error&) noexcept = default;
Error::~Error() = default;

std::string_view Error::code() const noexcept { return state_->code; }
int Error::http_status() const noexcept { return state_->details.http_status; }
std::string_view Error::oauth_error() const noexcept { return state_->details.oauth_error; }
std::string_view Error::oauth_error_description() const noexcept {
  return state_->details.oauth_error_description;
}
std::optional<std::chrono::seconds> Error::retry_after() const noexcept {
  return state_->details.retry_after;
}

}  // namespace grantd
