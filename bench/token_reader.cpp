// A worker that asks the library for a token over and over, or for those of many definitions in turn. With
// --no-system-calls it first gives up every system call but those it ends with, and so dies at the first call
// that makes one.
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cstddef>

#include "bench/measured_calls.hpp"
#include "bench/unix_socket.hpp"
#include "grantd/client.hpp"

namespace {

using grantd::bench::fail;

struct Options {
  std::string socket;
  std::string client = "x";
  std::size_t definitions = 0;  // 0: `client` alone; else "CLIENT0" and so on
  std::uint64_t calls_without_system_calls = 0;
  grantd::bench::CallOptions calls;
};

Options read(int argc, char** argv) {
  Options options;
  grantd::bench::read_options(argc, argv, [&](std::string_view name, const std::string& value) {
    if (name == "--socket") {
      options.socket = value;
    } else if (name == "--client") {
      options.client = value;
    } else if (name == "--definitions") {
      options.definitions = std::stoul(value);
    } else if (name == "--no-system-calls") {
      options.calls_without_system_calls = std::stoull(value);
    } else {
      return read_call_option(options.calls, name, value);
    }
    return true;
  });
  return options;
}

std::vector<std::string> names_of(const Options& options) {
  if (options.definitions == 0) return {options.client};
  std::vector<std::string> names;
  names.reserve(options.definitions);
  for (std::size_t i = 0; i < options.definitions; ++i) names.push_back(options.client + std::to_string(i));
  return names;
}

// The kernel ends the process at any other system call than write and exit_group.
void give_up_system_calls() {
  constexpr auto number = static_cast<std::uint32_t>(offsetof(seccomp_data, nr));
  std::array filter{
      sock_filter BPF_STMT(BPF_LD | BPF_W | BPF_ABS, number),
      sock_filter BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_write, 2, 0),
      sock_filter BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_exit_group, 1, 0),
      sock_filter BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
      sock_filter BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  const sock_fprog program{.len = filter.size(), .filter = filter.data()};
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
      ::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) != 0)
    fail("prctl");
}

// Standard output's buffers and the destructors of what is alive would need more than is left.
[[noreturn]] void call_without_system_calls(const grantd::Client& client, const Options& options) {
  constexpr std::string_view said = "{\"system_calls\": 0}\n";
  for (int i = 0; i < 1000; ++i) grantd::bench::keep(client.get_access_token(options.client));
  give_up_system_calls();
  for (std::uint64_t i = 0; i < options.calls_without_system_calls; ++i)
    grantd::bench::keep(client.get_access_token(options.client));
  ::_exit(::write(STDOUT_FILENO, said.data(), said.size()) > 0 ? 0 : 1);
}

}  // namespace

int main(int argc, char** argv) {
  return grantd::bench::exit_status_of("token_reader", [&] {
    const Options options = read(argc, argv);
    const grantd::Client client{{.socket = options.socket}};
    const std::vector<std::string> names = names_of(options);
    for (const std::string& name : names) client.get_access_token(name);
    if (options.calls_without_system_calls > 0) call_without_system_calls(client, options);
    measure_calls(options.calls, [&] {
      return [&client, &names, next = std::size_t{0}]() mutable {
        const grantd::Token token = client.get_access_token(names[next]);
        grantd::bench::keep(token);
        if (++next == names.size()) next = 0;
      };
    });
  });
}
