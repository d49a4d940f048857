#include "daemon/app/scrapes.hpp"

#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "tests/fakes/manual_clock.hpp"

using namespace std::chrono_literals;
using grantd::daemon::awaitable;
using grantd::daemon::ClientFigures;
using grantd::daemon::Loop;
using grantd::daemon::Metrics;
using grantd::daemon::Scrapes;
using grantd::tests::ManualClock;

namespace {

struct Scraped {
  Scraped() {
    metrics.on_collect_clients([this] {
      ++collected;
      return std::vector<ClientFigures>{};
    });
  }
  ~Scraped() {
    while (!scrapes.idle()) loop.turn(10ms);
  }
  Scraped(const Scraped&) = delete;
  Scraped& operator=(const Scraped&) = delete;

  awaitable<> ask() { texts.push_back(*co_await scrapes.next()); }
  void wait_for(std::size_t count) {
    while (texts.size() < count) loop.turn(10ms);
  }

  ManualClock clock;
  Loop loop{clock};
  Metrics metrics{clock.wall_now()};
  Scrapes scrapes{loop, metrics};
  int collected = 0;
  std::vector<std::string> texts;
};

}  // namespace

TEST_CASE("scrapes: however many ask at once, two texts are written") {
  Scraped f;
  for (int i = 0; i < 100; ++i) f.loop.spawn(f.ask());
  f.wait_for(100);
  CHECK(f.collected == 2);
}

TEST_CASE("scrapes: whoever asks is told what happened before") {
  Scraped f;
  auto& client = f.metrics.client("a");
  for (int i = 1; i <= 10; ++i) {
    client.token_served(grantd::daemon::TokenOrigin::cache);
    f.loop.spawn(f.ask());  // and what was asked before may be under way
  }
  f.wait_for(10);
  CHECK(f.texts.front().contains("grantd_tokens_served_total{client=\"a\",source=\"cache\"} 1\n"));
  CHECK(f.texts.back().contains("grantd_tokens_served_total{client=\"a\",source=\"cache\"} 10\n"));
}

TEST_CASE("scrapes: after one that was asked for alone, the next is written anew") {
  Scraped f;
  for (std::size_t i = 1; i <= 3; ++i) {
    f.loop.spawn(f.ask());
    f.wait_for(i);
  }
  CHECK(f.collected == 3);
}
