// A body must decode to the same bytes and the same end whether it arrives at once or byte by byte. The first
// byte of the input chooses the framing.
#include <cstdlib>
#include <string>

#include "daemon/http1/body_decoder.hpp"

using namespace grantd::daemon::http1;

namespace {

struct Outcome {
  std::string body;
  bool failed = false;
  bool complete = false;
  std::size_t consumed = 0;
  bool operator==(const Outcome&) const = default;
};

Outcome decode(BodyLength length, std::span<const char> bytes, std::size_t step) {
  BodyDecoder decoder{length};
  Outcome outcome;
  std::size_t available = 0;
  while (!decoder.complete()) {
    const auto piece = decoder.next(bytes.subspan(outcome.consumed, available - outcome.consumed));
    if (!piece) {
      outcome.failed = true;
      break;
    }
    if (piece->data.size() > piece->consumed) std::abort();
    outcome.body.append(piece->data.data(), piece->data.size());
    outcome.consumed += piece->consumed;
    if (piece->complete != decoder.complete()) std::abort();
    if (piece->consumed > 0) continue;
    if (available == bytes.size()) break;
    available = std::min(bytes.size(), available + step);
  }
  outcome.complete = decoder.complete();
  if (outcome.failed) outcome.consumed = 0;  // how far it came depends on what it had seen
  if (outcome.failed) outcome.body.clear();
  return outcome;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  if (size == 0) return 0;
  using Kind = BodyLength::Kind;
  const BodyLength lengths[] = {{Kind::chunked, 0}, {Kind::fixed, data[0]}, {Kind::until_close, 0}};
  const std::span bytes{reinterpret_cast<const char*>(data) + 1, size - 1};
  const BodyLength length = lengths[data[0] % 3];
  if (!(decode(length, bytes, bytes.size()) == decode(length, bytes, 1))) std::abort();
  return 0;
}
