#pragma once

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "daemon/loop/await_done.hpp"
#include "daemon/loop/loop.hpp"
#include "daemon/loop/workers.hpp"
#include "daemon/metrics/metrics.hpp"

namespace grantd::daemon {

/// Writes /metrics in a thread of its own, so that thousands of definitions hold nobody up, nor anything else
/// a scrape. However many ask at once, one text is being written and one is waited for. Loop thread only.
class Scrapes {
 public:
  /// Both outlive this.
  Scrapes(Loop& loop, Metrics& metrics) : loop_(loop), metrics_(metrics) {}

  /// What there is to show at some moment from now on.
  awaitable<std::shared_ptr<const std::string>> next() {
    return await_done<Text>([this](auto done) {
      waiting_.emplace_back(std::move(done));
      if (!writing_) begin();
    });
  }
  /// Whether no thread is at work.
  bool idle() const { return worker_.idle(); }

 private:
  using Text = std::shared_ptr<const std::string>;

  void begin() {
    writing_ = true;
    worker_.run([this, write = metrics_.collect(), asked = std::exchange(waiting_, {})]() mutable {
      loop_.post(
          [this, text = std::make_shared<const std::string>(write()), asked = std::move(asked)]() mutable {
            writing_ = false;
            for (auto& done : asked) done(text);
            if (!writing_ && !waiting_.empty()) begin();
          });
    });
  }

  Loop& loop_;
  Metrics& metrics_;
  Workers worker_{1, 0};
  bool writing_ = false;
  std::vector<std::move_only_function<void(Text)>> waiting_;  // for the next text
};

}  // namespace grantd::daemon
