#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>

#include "common/unique_fd.hpp"
#include "daemon/loop/waiter.hpp"

namespace grantd::daemon {

class Loop;

/// A non-blocking descriptor that the loop watches. The kernel speaks once for each change (EPOLLET), and
/// what it said is remembered until it turns out not to hold any more: so neither waiting for input nor
/// finding out that there is none costs a system call. One coroutine may wait for reading, another for
/// writing; closing ends both waits. Loop thread only; it does not outlive the loop.
class WatchedFd {
 public:
  explicit WatchedFd(Loop& loop) : loop_(loop) {}
  ~WatchedFd() { close(); }
  WatchedFd(const WatchedFd&) = delete;
  WatchedFd& operator=(const WatchedFd&) = delete;

  enum class Watch { input, input_and_output };
  /// Takes a descriptor over and makes it non-blocking. Where it cannot be watched it is closed.
  void open(common::UniqueFd descriptor, Watch what = Watch::input);
  /// Those who wait go on in the loop's next turn.
  void close();
  bool is_open() const { return static_cast<bool>(descriptor_); }
  int get() const { return descriptor_.get(); }

  /// Awaited: false where the wait was interrupted, or the descriptor closed.
  class Wait : public Waiter {
   public:
    Wait(WatchedFd& owner, WaiterList& list, const bool* already)
        : owner_(owner), list_(list), already_(already) {}
    bool await_ready() const { return !owner_.is_open() || (already_ != nullptr && *already_); }
    void await_suspend(std::coroutine_handle<> coroutine) {
      suspend(coroutine);
      list_.push(*this);
    }
    bool await_resume() const { return !interrupted() && owner_.is_open(); }

   private:
    WatchedFd& owner_;
    WaiterList& list_;
    const bool* already_;
  };
  /// Until there may be something to read, also an end or an error: at once if that is known already.
  Wait readable() { return {*this, readers_, &may_read_}; }
  /// Until more may be written, after the kernel took less than was offered.
  Wait writable();
  /// Whoever waits goes on with false in the loop's next turn; without anybody waiting, nothing happens.
  void interrupt_reading() { interrupt(readers_); }
  void interrupt_writing() { interrupt(writers_); }
  bool has_reader() const { return !readers_.empty(); }

  /// Whether a mark of urgent data was announced: reading steps over it, moving (splice(2)) never does.
  bool urgent() const { return urgent_; }
  /// Whether something may have come that was not read.
  bool may_read() const { return may_read_; }
  /// The kernel has nothing more for now.
  void nothing_to_read() { may_read_ = ended_; }
  /// Something may have come of which the kernel has not told the loop yet.
  void suppose_input() { may_read_ = true; }
  /// Reads from a stream socket. Nothing: it would have to wait; 0 is the end; an error is negative.
  std::optional<ssize_t> receive(std::span<char> into);

  /// Both are called from the loop and must not destroy this. `on_readable` is for descriptors that no
  /// coroutine reads; it reads until there is nothing, or says `nothing_to_read`.
  void on_readable(std::function<void()> action) { on_readable_ = std::move(action); }
  /// The other side closed the connection, rather than merely ending what it sends.
  void on_hung_up(std::function<void()> action) { on_hung_up_ = std::move(action); }
  bool hung_up() const { return hung_up_; }

 private:
  friend class Loop;
  void happened(std::uint32_t events);
  static void interrupt(WaiterList& waiting);

  Loop& loop_;
  common::UniqueFd descriptor_{};
  WaiterList readers_{};
  WaiterList writers_{};
  std::function<void()> on_readable_{};
  std::function<void()> on_hung_up_{};
  bool may_read_ = false;
  bool ended_ = false;   // nothing follows but what is there
  bool urgent_ = false;  // a read may stop at a mark, with more behind it
  bool hung_up_ = false;
  bool watches_output_ = false;
};

}  // namespace grantd::daemon
