// Memory that an earlier process is said to have left may hold anything: nothing in it is read out of bounds,
// what is decoded encodes to something that decodes alike, and the memory can be used afterwards. The input
// is laid over memory with two good records.
#include <unistd.h>

#include <algorithm>
#include <cstdlib>

#include "daemon/kept/kept_memory.hpp"
#include "daemon/kept/token_record.hpp"

using namespace grantd;
using daemon::KeptMemory;

namespace {

void decode(std::uint32_t kind, std::string_view bytes) {
  const auto record = daemon::decode_token_record(kind, bytes);
  if (!record) return;
  const auto again = daemon::encode(*record);
  const auto second = daemon::decode_token_record(kind, again.reveal());
  if (!second || second->variant != record->variant || !second->secret.same_as(record->secret)) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view input{reinterpret_cast<const char*>(data), size};
  for (std::uint32_t kind = 0; kind < 5; ++kind) decode(kind, input);

  auto memory = KeptMemory::create();
  if (!memory) std::abort();
  memory->write(1, "one record", 0);
  memory->write(1, "and another", 0);
  const std::size_t start = data[0] % 8 * 8;
  const std::size_t length = std::min<std::size_t>(size - 1, 4096);
  if (::pwrite(memory->descriptor(), data + 1, length, static_cast<off_t>(start)) < 0) std::abort();
  auto opened = KeptMemory::open(common::UniqueFd{::dup(memory->descriptor())});
  if (!opened) return 0;
  for (const auto& found : opened->records()) decode(found.kind, found.payload);
  const auto place = opened->write(1, "a third", 0);
  if (!place) std::abort();
  opened->wipe(*place);
  return 0;
}
