// Whatever an authorization server answers, the judgement must come out right enough to be passed on: the
// first two bytes of the input choose the status, the third how the rest is divided into a header and the
// body.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <iterator>
#include <string_view>

#include "daemon/oauth/token_response.hpp"

using namespace grantd;

namespace {

void require(bool condition) {
  if (!condition) std::abort();
}

bool is_printable(std::string_view text) {
  for (const char c : text) {
    if (c < ' ' || c > '~') return false;
  }
  return true;
}

void check(const daemon::TokenGrant& grant) {
  const auto token = grant.access_token.reveal();
  require(!token.empty() && token.size() <= 16384);
  require(is_printable(token) && token.find(' ') == std::string_view::npos);
  require(grant.lifetime <= std::chrono::days{365} && grant.lifetime >= -std::chrono::days{366});
  require(is_printable(grant.scope) && grant.scope.size() <= 16384);
  require(grant.scope.find_first_of("\"\\") == std::string::npos);
  require(grant.version.size() == 22);
}

void check(const daemon::FailedExchange& failed, std::string_view secret) {
  const common::Error& error = failed.error.error;
  for (const std::string* text : {&error.detail, &error.oauth_error, &error.oauth_error_description}) {
    require(is_printable(*text) && text->size() <= 512);
    require(text->find(secret) == std::string::npos);
  }
  require(!error.detail.empty());
  require(error.retry_after && *error.retry_after >= std::chrono::seconds{1});
  require(*error.retry_after <= std::chrono::minutes{5});
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 3) return 0;
  const std::string_view rest{reinterpret_cast<const char*>(data) + 3, size - 3};
  const std::size_t header_size = std::min<std::size_t>(data[2] % 64, rest.size());
  // Mostly the statuses that matter, now and then any number.
  constexpr int usual[] = {200, 201, 204, 302, 400, 401, 408, 429, 503};
  const int number = data[0] | data[1] << 8;
  const daemon::HttpResponse response{.status = data[1] < 192 ? usual[data[0] % std::size(usual)] : number,
                                      .headers = {{"Retry-After", std::string{rest.substr(0, header_size)}}},
                                      .body = common::Secret{rest.substr(header_size)}};
  constexpr std::string_view secret = "hunter2";
  const auto judgement =
      daemon::judge_token_response(response, {.now = common::WallTime{std::chrono::seconds{1'767'225'600}},
                                              .default_lifetime = std::chrono::minutes{5},
                                              .scope = "a b",
                                              .confidential = {secret}});
  if (judgement) {
    check(*judgement);
  } else {
    check(judgement.error(), secret);
  }
  return 0;
}
