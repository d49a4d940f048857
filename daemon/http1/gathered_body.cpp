#include "daemon/http1/gathered_body.hpp"

#include <cstring>

namespace grantd::daemon::http1 {
namespace {

constexpr std::size_t large_enough = 4096;

}  // namespace

std::expected<BodyDecoder::Piece, std::string_view> gather_body(BodyDecoder& decoder, std::span<char> input) {
  BodyDecoder::Piece gathered;
  while (!decoder.complete()) {
    const auto piece = decoder.next(input.subspan(gathered.consumed));
    if (!piece) {
      // It will be said again once what came before it is done with.
      if (gathered.consumed > 0) break;
      return piece;
    }
    if (gathered.data.empty()) {
      gathered.data = piece->data;
    } else if (!piece->data.empty()) {
      char* const end = input.data() + (gathered.data.data() - input.data()) + gathered.data.size();
      std::memmove(end, piece->data.data(), piece->data.size());
      gathered.data = {gathered.data.data(), end + piece->data.size()};
    }
    gathered.consumed += piece->consumed;
    if (piece->consumed == 0 || piece->data.size() >= large_enough) break;
  }
  gathered.complete = decoder.complete();
  return gathered;
}

}  // namespace grantd::daemon::http1
