// What stands in the shared cache may be anything, and so may what a sealed entry holds: nothing is read out
// of bounds, nothing opens that was not sealed, and what is decoded encodes to the same bytes.
#include <cstdlib>

#include "daemon/shared/redis_reply.hpp"
#include "daemon/shared/shared_entry.hpp"

using namespace grantd;

namespace {

const daemon::SealingKey& key() {
  static const auto keys = daemon::parse_sealing_keys("CAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=");
  return keys.value().front();
}

void read_replies(std::string_view input) {
  daemon::RedisReader reader;
  while (!input.empty()) {
    const auto piece = input.substr(0, 7);
    input.remove_prefix(piece.size());
    if (!reader.feed(piece)) return;
    while (true) {
      const auto reply = reader.next();
      if (!reply) return;
      if (!*reply) break;
    }
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  const std::string_view input{reinterpret_cast<const char*>(data), size};
  if (daemon::open_entry(input, key(), "name")) std::abort();
  if (const auto entry = daemon::decode_entry(input)) {
    if (daemon::encode_entry(*entry).reveal() != input) std::abort();
  }
  static_cast<void>(daemon::parse_sealing_keys(input));
  read_replies(input);
  return 0;
}
