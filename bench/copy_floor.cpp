// What a token out of shared memory costs when nothing is looked at: one reading of the clock, and a copy. No
// library that gives away a token which another process may replace can be cheaper by much.
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include <array>
#include <cstring>

#include "bench/measured_calls.hpp"
#include "bench/unix_socket.hpp"

namespace {

constexpr std::size_t token_size = 900;

const char* shared_token() {
  const grantd::common::UniqueFd memory{::memfd_create("copy-floor", MFD_CLOEXEC)};
  if (!memory || ::ftruncate(memory.get(), token_size) != 0) grantd::bench::fail("memfd_create");
  void* writable = ::mmap(nullptr, token_size, PROT_READ | PROT_WRITE, MAP_SHARED, memory.get(), 0);
  void* readable = ::mmap(nullptr, token_size, PROT_READ, MAP_SHARED, memory.get(), 0);
  if (writable == MAP_FAILED || readable == MAP_FAILED) grantd::bench::fail("mmap");
  std::memset(writable, 't', token_size);
  return static_cast<const char*>(readable);
}

}  // namespace

int main(int argc, char** argv) {
  return grantd::bench::exit_status_of("copy_floor", [&] {
    grantd::bench::CallOptions options;
    grantd::bench::read_options(argc, argv, [&](std::string_view name, const std::string& value) {
      return read_call_option(options, name, value);
    });
    const char* token = shared_token();
    measure_calls(options, [token] {
      return [token] {
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
