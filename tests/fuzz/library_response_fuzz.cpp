// Whatever a daemon answers, the client library ends with an answer or an error. The first byte says in what
// pieces the rest arrives.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "client-lib/src/local_call.hpp"
#include "client-lib/src/response_parser.hpp"
#include "client-lib/src/token_call.hpp"

namespace {

using grantd::detail::ResponseParser;

void use_answer(const ResponseParser& parser, const std::string& body) {
  if (const auto token = grantd::detail::parse_token(body)) {
    if (token->authorization().find_first_of("\r\n") != std::string_view::npos) std::abort();
  }
  try {
    grantd::detail::throw_problem(parser.head(), body);
  } catch (const grantd::Error& error) {
    if (error.code().empty()) std::abort();
  }
}

}  // namespace

// NOLINTNEXTLINE(misc-use-internal-linkage): libFuzzer calls it by name
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::size_t piece = data[0] == 0 ? size : data[0];
  std::string_view bytes{reinterpret_cast<const char*>(data) + 1, size - 1};
  ResponseParser parser(false);
  std::string body;
  const auto active = [&parser] {
    return parser.state() == ResponseParser::State::head || parser.state() == ResponseParser::State::body;
  };
  while (!bytes.empty() && active()) {
    std::string_view fed = bytes.substr(0, piece);
    bytes.remove_prefix(fed.size());
    while (!fed.empty() && active()) {
      const auto step = parser.feed(fed);
      if (step.consumed == 0 || step.consumed > fed.size()) std::abort();
      body += step.body;
      fed.remove_prefix(step.consumed);
    }
  }
  parser.end();
  if (parser.state() == ResponseParser::State::complete) use_answer(parser, body);
  return 0;
}
