#pragma once

#include <signal.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#include <functional>

namespace grantd::tests {

/// A child process whose first thread goes on by single instructions, for what may be interrupted at any of
/// them.
class SteppedChild {
 public:
  /// Runs `run` up to its first `pause`. `is_there` says whether it could be traced at all.
  explicit SteppedChild(const std::function<void()>& run) : pid_(::fork()) {
    if (pid_ == 0) {
      if (::ptrace(PTRACE_TRACEME, 0, nullptr, nullptr) != 0) ::_exit(1);
      run();
      ::_exit(0);
    }
    wait_for_stop();
  }
  ~SteppedChild() {
    if (ended_) return;
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
  }
  SteppedChild(const SteppedChild&) = delete;
  SteppedChild& operator=(const SteppedChild&) = delete;

  /// In the child: gives the word to the parent.
  static void pause() { ::raise(SIGSTOP); }

  bool is_there() const { return !ended_; }
  /// One instruction. False: the child has come to its next pause, or to its end.
  bool step() { return resume(PTRACE_SINGLESTEP) && signal_ == SIGTRAP; }
  /// On to the next pause; false: to its end.
  bool run() { return resume(PTRACE_CONT); }

 private:
  bool resume(__ptrace_request how) {
    if (ended_ || ::ptrace(how, pid_, nullptr, nullptr) != 0) return false;
    wait_for_stop();
    return !ended_;
  }
  void wait_for_stop() {
    int status = 0;
    ended_ = pid_ < 0 || ::waitpid(pid_, &status, 0) != pid_ || !WIFSTOPPED(status);
    signal_ = ended_ ? 0 : WSTOPSIG(status);
  }

  pid_t pid_;
  bool ended_ = false;
  int signal_ = 0;
};

}  // namespace grantd::tests
