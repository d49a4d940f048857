// Standard streams are files rather than pipes: nothing has to be read while the program runs.
#include "tests/unit/cli/run_program.hpp"

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>

#include <fstream>
#include <sstream>
#include <stdexcept>
#include <utility>

namespace grantd::tests {
namespace {

std::vector<char*> pointers(std::vector<std::string>& strings) {
  std::vector<char*> list;
  for (std::string& one : strings) list.push_back(one.data());
  list.push_back(nullptr);
  return list;
}

std::string contents(const std::filesystem::path& file) {
  std::ostringstream text;
  text << std::ifstream(file).rdbuf();
  return text.str();
}

}  // namespace

Outcome grantctl(const std::vector<std::string>& arguments, std::string_view input,
                 const std::vector<std::string>& environment) {
  const TemporaryDirectory directory;
  const std::string in = directory / "in";
  const std::string out = directory / "out";
  const std::string err = directory / "err";
  std::ofstream(in) << input;

  std::vector<std::string> words{GRANTCTL};
  words.insert(words.end(), arguments.begin(), arguments.end());
  std::vector<std::string> variables = environment;
  posix_spawn_file_actions_t streams;
  ::posix_spawn_file_actions_init(&streams);
  ::posix_spawn_file_actions_addopen(&streams, 0, in.c_str(), O_RDONLY, 0);
  ::posix_spawn_file_actions_addopen(&streams, 1, out.c_str(), O_WRONLY | O_CREAT, 0600);
  ::posix_spawn_file_actions_addopen(&streams, 2, err.c_str(), O_WRONLY | O_CREAT, 0600);
  pid_t child = -1;
  const int failed =
      ::posix_spawn(&child, GRANTCTL, &streams, nullptr, pointers(words).data(), pointers(variables).data());
  ::posix_spawn_file_actions_destroy(&streams);
  int status = 0;
  if (failed != 0 || ::waitpid(child, &status, 0) != child)
    throw std::runtime_error("grantctl does not start");
  return {.exit_status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status),
          .out = contents(out),
          .err = contents(err)};
}

Outcome grantctl_beside(std::function<std::string(const ReceivedRequest&)> answer,
                        std::vector<std::string> arguments, std::string_view input) {
  const TemporaryDirectory directory;
  const std::string socket = directory / "socket";
  const ScriptedDaemon daemon(socket, answering(std::move(answer)));
  arguments.insert(arguments.begin(), {"--socket", socket});
  return grantctl(arguments, input);
}

}  // namespace grantd::tests
