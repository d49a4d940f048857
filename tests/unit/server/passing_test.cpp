#include <doctest/doctest.h>
#include <fcntl.h>

#include "tests/unit/server/server_fixture.hpp"

namespace grantd::tests {
namespace {

using namespace std::chrono_literals;

/// Passes a descriptor with each answer, "page"; "token" is the answer of one that could not be passed.
struct Passing : ServerFixture {
  Passing() {
    handler.answer = [this](Exchange& exchange) -> awaitable<void> {
      const common::UniqueFd passed{::open("/dev/null", O_RDONLY | O_CLOEXEC)};
      LocalResponse response{.body = page};
      const bool done = co_await exchange.respond_passing(unusable ? 1'000'000 : passed.get(), response);
      LocalResponse without{.body = "token"};
      if (!done) co_await exchange.respond(std::move(without));
    };
  }
  /// How often a page was withheld for this reason.
  std::string withheld(const std::string& reason) {
    return sample("grantd_pages_withheld_total{reason=\"" + reason + "\"}");
  }
  std::string passed() { return sample("grantd_pages_passed_total"); }
  std::string sample(const std::string& name) {
    const std::string text = metrics.collect()();
    const auto begin = text.find("\n" + name + " ") + name.size() + 2;
    return text.substr(begin, text.find('\n', begin) - begin);
  }

  std::string page = "page";
  bool unusable = false;
};

TEST_CASE("passing: every answer to a caller that reads has its descriptor") {
  Passing f;
  Caller caller{f};
  for (int i = 0; i < 3; ++i) CHECK(caller.ask(get("/")).body == "page");
  CHECK(f.passed() == "3");
  CHECK(f.withheld("unread") == "0");
}

TEST_CASE("passing: a caller that has not read an answer has no descriptor under way beside it") {
  Passing f;
  Caller caller{f};
  caller.send(get("/") + get("/") + get("/"));
  CHECK(f.passed() == "1");
  CHECK(f.withheld("unread") == "2");
  CHECK(caller.receive().body == "page");
  CHECK(caller.receive().body == "token");
  CHECK(caller.receive().body == "token");
  CHECK(caller.ask(get("/")).body == "page");
}

TEST_CASE("passing: a descriptor that the kernel does not pass leaves the caller an answer without") {
  Passing f;
  f.unusable = true;
  Caller caller{f};
  CHECK(caller.ask(get("/")).body == "token");
  CHECK(caller.ask(get("/")).body == "token");
  CHECK(f.withheld("refused") == "2");
  CHECK(f.log.count("event=page_refused") == 1);
  f.unusable = false;
  CHECK(caller.ask(get("/")).body == "page");
  f.unusable = true;
  CHECK(caller.ask(get("/")).body == "token");
  CHECK(f.log.count("event=page_refused") == 2);
}

TEST_CASE("passing: an answer larger than the kernel takes at once arrives whole") {
  Passing f;
  f.page.assign(3'000'000, 'p');
  Caller caller{f};
  CHECK(caller.ask(get("/")).body == f.page);
  CHECK(f.passed() == "1");
}

TEST_CASE("passing: a connection is its caller's until the descriptor was received, however it ends") {
  for (const std::string how : {"close", "half-closed", "idle"}) {
    for (const bool received : {true, false}) {
      CAPTURE(how);
      CAPTURE(received);
      Passing f;
      f.settings.max_connections_per_user = 1;
      f.server.set_limits(f.settings);
      Caller first{f};
      first.send(get("/", how == "close" ? "Connection: close\r\n" : ""));
      if (how == "half-closed") first.shut_down_sending();
      if (how == "idle") f.advance(f.settings.idle_timeout);
      for (int i = 0; i < 100; ++i) f.advance(1s);
      CHECK(f.server.connection_count() == 1);
      CHECK(Caller{f}.ask(get("/")).status == 503);
      if (received) {
        CHECK(first.receive().body == "page");
        CHECK(first.is_closed());
      } else {
        first.close();
      }
      f.advance(1s);
      CHECK(Caller{f}.ask(get("/")).body == "page");
    }
  }
}

TEST_CASE("passing: who has received everything is let go at once") {
  Passing f;
  Caller caller{f};
  CHECK(caller.ask(get("/")).body == "page");
  caller.close();
  CHECK(f.until([&] { return f.server.connection_count() == 0; }));
}

TEST_CASE("passing: a stop waits for no receipt") {
  Passing f;
  Caller caller{f};
  caller.send(get("/", "Connection: close\r\n"));
  Caller idle{f};
  idle.send(get("/"));
  CHECK(f.server.connection_count() == 2);
  bool stopped = false;
  f.server.stop(10s, [&] { stopped = true; });
  CHECK(f.until([&] { return stopped; }));
  CHECK(f.server.connection_count() == 0);
  CHECK(caller.receive().body == "page");
}

}  // namespace
}  // namespace grantd::tests
