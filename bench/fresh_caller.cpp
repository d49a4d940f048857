// A caller that opens a connection for each question and reads until the server closes it: how some agents
// want to be asked.
#include <sys/socket.h>
#include <unistd.h>

#include <array>

#include "bench/measured_calls.hpp"
#include "bench/unix_socket.hpp"

namespace {

using grantd::bench::fail;
using grantd::bench::unix_socket;

void ask(const std::string& socket, const std::string& question) {
  const auto connection = unix_socket(socket, ::connect);
  if (::send(connection.get(), question.data(), question.size(), MSG_NOSIGNAL) !=
      static_cast<ssize_t>(question.size()))
    fail("send");
  std::array<char, 8192> answer;
  std::size_t size = 0;
  while (size < answer.size()) {
    const ssize_t got = ::recv(connection.get(), answer.data() + size, answer.size() - size, 0);
    if (got < 0) fail("recv");
    if (got == 0) break;
    size += static_cast<std::size_t>(got);
  }
  if (std::string_view{answer.data(), size}.find("\"access_token\":") == std::string_view::npos)
    throw std::runtime_error("an answer without a token: " +
                             std::string{answer.data(), std::min(size, std::size_t{200})});
}

}  // namespace

int main(int argc, char** argv) {
  return grantd::bench::exit_status_of("fresh_caller", [&] {
    std::string socket;
    std::string question;
    grantd::bench::CallOptions options;
    grantd::bench::read_options(argc, argv, [&](std::string_view name, const std::string& value) {
      if (name == "--socket") {
        socket = value;
      } else if (name == "--question") {
        question = value;
      } else {
        return read_call_option(options, name, value);
      }
      return true;
    });
    measure_calls(options, [&] { return [&] { ask(socket, question); }; });
  });
}
