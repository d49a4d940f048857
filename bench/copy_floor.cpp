// What a token out of shared memory costs when nothing is looked at: one reading of the clock, and a copy. No
// library that gives away a token which another process may replace can be cheaper by much. With --tokens,
// that many in turn, each in a page of its own as every token of the daemon is.
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include <array>
#include <cstring>

#include "bench/measured_calls.hpp"
#include "bench/unix_socket.hpp"

namespace {

constexpr std::size_t token_size = 900;

constexpr std::size_t stride = 4096;

const char* shared_tokens(std::size_t count) {
  const grantd::common::UniqueFd memory{::memfd_create("copy-floor", MFD_CLOEXEC)};
  const std::size_t size = count * stride;
  if (!memory || ::ftruncate(memory.get(), static_cast<off_t>(size)) != 0)
    grantd::bench::fail("memfd_create");
  void* writable = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED, memory.get(), 0);
  void* readable = ::mmap(nullptr, size, PROT_READ, MAP_SHARED, memory.get(), 0);
  if (writable == MAP_FAILED || readable == MAP_FAILED) grantd::bench::fail("mmap");
  std::memset(writable, 't', size);
  return static_cast<const char*>(readable);
}

}  // namespace

int main(int argc, char** argv) {
  return grantd::bench::exit_status_of("copy_floor", [&] {
    grantd::bench::CallOptions options;
    std::size_t tokens = 1;
    grantd::bench::read_options(argc, argv, [&](std::string_view name, const std::string& value) {
      if (name != "--tokens") return read_call_option(options, name, value);
      tokens = std::stoul(value);
      return true;
    });
    const char* const first = shared_tokens(tokens);
    measure_calls(options, [first, tokens] {
      return [first, tokens, next = std::size_t{0}]() mutable {
        const char* const token = first + next * stride;
        if (++next == tokens) next = 0;
        timespec now{};
        ::clock_gettime(CLOCK_BOOTTIME, &now);
        std::array<char, token_size> copy;
        std::memcpy(copy.data(), token, copy.size());
        grantd::bench::keep(now);
        grantd::bench::keep(copy);
      };
    });
  });
}
