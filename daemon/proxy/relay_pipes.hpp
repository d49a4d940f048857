#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "daemon/loop/pipe.hpp"

namespace grantd::daemon {

/// Pipes for long bodies, kept for the next one instead of being closed. So many at most that descriptors are
/// left for callers; other bodies are copied. Loop thread only.
class RelayPipes : public std::enable_shared_from_this<RelayPipes> {
 public:
  static constexpr std::size_t most_in_use = 64;

  RelayPipes() { spare_.reserve(most_spare); }

  /// Gives its pipe back, unless something was left in it.
  class Borrowed {
   public:
    Borrowed(std::shared_ptr<RelayPipes> owner, Pipe pipe)
        : owner_(std::move(owner)), pipe_(std::move(pipe)) {
      ++owner_->in_use_;
    }
    Borrowed(Borrowed&&) = default;
    Borrowed& operator=(Borrowed&&) = delete;
    ~Borrowed() {
      if (owner_) owner_->take_back(std::move(pipe_));
    }
    Pipe& operator*() { return pipe_; }

   private:
    std::shared_ptr<RelayPipes> owner_;
    Pipe pipe_;
  };
  /// Nothing: there is none to be had.
  std::optional<Borrowed> borrow() {
    if (in_use_ == most_in_use) return std::nullopt;
    if (spare_.empty()) {
      auto made = Pipe::make();
      if (!made) return std::nullopt;
      spare_.push_back(std::move(*made));
    }
    Borrowed borrowed{shared_from_this(), std::move(spare_.back())};
    spare_.pop_back();
    return borrowed;
  }

 private:
  static constexpr std::size_t most_spare = 4;

  void take_back(Pipe pipe) {
    --in_use_;
    if (pipe.size() == 0 && spare_.size() < most_spare) spare_.push_back(std::move(pipe));
  }

  std::vector<Pipe> spare_{};
  std::size_t in_use_ = 0;
};

}  // namespace grantd::daemon
