#pragma once

#include <deque>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "daemon/http/transport.hpp"

namespace grantd::tests {

/// Keeps every exchange until the test says how it ended.
class ScriptedTransport final : public daemon::Transport {
 public:
  struct Exchange {
    daemon::HttpRequest request;
    daemon::TransportOptions options;
    common::BootTime deadline;
    Done done;
  };
  using Headers = std::vector<std::pair<std::string, std::string>>;

  void send(daemon::HttpRequest request, daemon::TransportOptions options, common::BootTime deadline,
            Done done) override {
    ++requests;
    under_way.push_back({std::move(request), std::move(options), deadline, std::move(done)});
  }

  /// Answers the oldest exchange under way.
  void respond(int status, std::string_view body = {}, Headers headers = {}) {
    end(daemon::HttpResponse{.status = status, .headers = std::move(headers), .body = common::Secret{body}});
  }
  void fail(daemon::TransportError::Kind kind, std::string detail = "as.example:443: scripted") {
    end(std::unexpected(daemon::TransportError{.kind = kind, .detail = std::move(detail)}));
  }

  int requests = 0;
  std::deque<Exchange> under_way;

 private:
  void end(std::expected<daemon::HttpResponse, daemon::TransportError> outcome) {
    Done done = std::move(under_way.front().done);
    under_way.pop_front();
    done(std::move(outcome));
  }
};

}  // namespace grantd::tests
