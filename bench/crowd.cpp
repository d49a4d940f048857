// Many workers, each a process of its own with a connection and a token of its own. Reads commands from
// standard input and answers each with a line of JSON:
//   ask           every process asks for the token once
//   read SECONDS  every process asks over and over
// It begins with a line that says how many processes there are.
#include <linux/futex.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <climits>
#include <iostream>
#include <sstream>

#include "bench/measured_calls.hpp"
#include "bench/unix_socket.hpp"
#include "grantd/client.hpp"

namespace {

using grantd::bench::Clock;
using grantd::bench::fail;

struct Options {
  std::string socket;
  std::string client = "x";
  std::size_t processes = 1;
};

enum class Command : std::uint32_t { ask, read };

/// What one worker did in a turn.
struct Work {
  std::uint64_t calls;
  double cpu_seconds;
  Clock::duration latency;  // of the last call
};

/// Shared by all processes. `turn` is what they sleep on.
struct Board {
  std::atomic<std::uint32_t> turn;
  std::atomic<std::uint32_t> done;
  std::atomic<std::uint32_t> failed;
  std::atomic<bool> over;
  Command command;
};

void futex(std::atomic<std::uint32_t>& word, int operation, std::uint32_t value) {
  ::syscall(SYS_futex, &word, operation, value, nullptr, nullptr, 0);
}

template <class Value>
Value* shared(std::size_t count) {
  void* memory =
      ::mmap(nullptr, count * sizeof(Value), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) fail("mmap");
  return new (memory) Value[count]{};
}

Work work(const grantd::Client& client, const Options& options, const Board& board) {
  const double cpu = grantd::bench::process_cpu_seconds();
  Work work{};
  auto begun = Clock::now();
  do {
    begun = Clock::now();
    constexpr int batch = 16;
    const int calls = board.command == Command::read ? batch : 1;
    for (int i = 0; i < calls; ++i) grantd::bench::keep(client.get_access_token(options.client));
    work.calls += static_cast<std::uint64_t>(calls);
  } while (board.command == Command::read && !board.over.load(std::memory_order_relaxed));
  work.latency = Clock::now() - begun;
  work.cpu_seconds = grantd::bench::process_cpu_seconds() - cpu;
  return work;
}

[[noreturn]] void live(const Options& options, Board& board, Work& mine) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  const grantd::Client client{{.socket = options.socket}};
  for (std::uint32_t seen = 0;; ++seen) {
    while (board.turn.load() == seen) futex(board.turn, FUTEX_WAIT, seen);
    try {
      mine = work(client, options, board);
    } catch (const std::exception& error) {
      if (board.failed.fetch_add(1) == 0) std::fprintf(stderr, "crowd: %s\n", error.what());
    }
    board.done.fetch_add(1);
    futex(board.done, FUTEX_WAKE, INT_MAX);
  }
}

class Crowd {
 public:
  explicit Crowd(const Options& options) : board_(*shared<Board>(1)), work_(shared<Work>(options.processes)) {
    while (workers_.size() < options.processes) {
      const pid_t worker = ::fork();
      if (worker == 0) live(options, board_, work_[workers_.size()]);
      if (worker < 0) break;
      workers_.push_back(worker);
    }
  }
  ~Crowd() {
    for (const pid_t worker : workers_) ::kill(worker, SIGKILL);
    for (const pid_t worker : workers_) ::waitpid(worker, nullptr, 0);
  }
  Crowd(const Crowd&) = delete;
  Crowd& operator=(const Crowd&) = delete;

  std::size_t size() const { return workers_.size(); }

  void take_turn(Command command, grantd::bench::Seconds reading) {
    board_.command = command;
    board_.done = 0;
    board_.over = false;
    const auto begun = Clock::now();
    ++board_.turn;
    futex(board_.turn, FUTEX_WAKE, INT_MAX);
    if (command == Command::read) std::this_thread::sleep_for(reading);
    board_.over = true;
    for (std::uint32_t done = 0; (done = board_.done.load()) < workers_.size();)
      futex(board_.done, FUTEX_WAIT, done);
    if (board_.failed > 0) throw std::runtime_error("a worker got no token");
    report(Clock::now() - begun);
  }

 private:
  void report(grantd::bench::Seconds seconds) const {
    Work all{};
    std::vector<Clock::duration> latencies;
    for (std::size_t i = 0; i < workers_.size(); ++i) {
      all.calls += work_[i].calls;
      all.cpu_seconds += work_[i].cpu_seconds;
      latencies.push_back(work_[i].latency);
    }
    std::cout << "{\"calls\": " << all.calls << ", \"seconds\": " << seconds.count()
              << ", \"cpu_seconds\": " << all.cpu_seconds
              << ", \"distribution\": " << grantd::bench::distribution_json(latencies) << "}\n"
              << std::flush;
  }

  Board& board_;
  Work* work_;
  std::vector<pid_t> workers_;
};

void obey(Crowd& crowd) {
  for (std::string line; std::getline(std::cin, line);) {
    std::istringstream words{line};
    std::string name;
    double seconds = 0;
    words >> name >> seconds;
    crowd.take_turn(name == "read" ? Command::read : Command::ask, grantd::bench::Seconds{seconds});
  }
}

}  // namespace

int main(int argc, char** argv) {
  return grantd::bench::exit_status_of("crowd", [&] {
    Options options;
    grantd::bench::read_options(argc, argv, [&](std::string_view name, const std::string& value) {
      if (name == "--socket") {
        options.socket = value;
      } else if (name == "--client") {
        options.client = value;
      } else if (name == "--processes") {
        options.processes = std::stoul(value);
      } else {
        return false;
      }
      return true;
    });
    Crowd crowd{options};
    std::cout << "{\"processes\": " << crowd.size() << "}\n" << std::flush;
    obey(crowd);
  });
}
