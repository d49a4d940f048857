#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include "daemon/loop/signal.hpp"
#include "tests/unit/server/server_fixture.hpp"

namespace grantd::tests {
namespace {

using namespace std::chrono_literals;

double metric(ServerFixture& f, const std::string& name) {
  const std::string text = f.metrics.collect()();
  const auto at = text.find("\n" + name + " ");
  return at == std::string::npos ? -1 : std::stod(text.substr(at + name.size() + 2));
}

TEST_CASE(
    "server: past max_connections a caller gets 503 and is closed, and there is room again afterwards") {
  ServerFixture f;
  f.settings.max_connections = 2;
  f.server.set_limits(f.settings);
  Caller first{f};
  Caller second{f};
  CHECK(first.ask(get("/")).status == 200);
  CHECK(second.ask(get("/")).status == 200);
  Caller third{f};
  const Answer refused = third.ask(get("/"));
  CHECK(refused.status == 503);
  CHECK(refused.has("Connection: close\r\n"));
  CHECK(refused.has("application/problem+json"));
  CHECK(refused.body.find("\"code\":\"too_many_connections\"") != std::string::npos);
  CHECK(third.is_closed());
  CHECK(first.ask(get("/")).status == 200);
  CHECK(metric(f, "grantd_connections") == 2);
  CHECK(metric(f, "grantd_connections_opened_total") == 2);
  CHECK(metric(f, "grantd_connections_refused_total") == 1);
  second.close();
  CHECK(f.until([&] { return metric(f, "grantd_connections") == 1; }));
  CHECK(Caller{f}.ask(get("/")).status == 200);
}

TEST_CASE("server: one user's connections are limited, and 32 more are kept for administrators") {
  ServerFixture f;
  f.settings.max_connections_per_user = 2;
  f.server.set_limits(f.settings);
  Caller first{f};
  Caller second{f};
  CHECK(Caller{f}.ask(get("/")).status == 503);
  f.caller_is_admin = true;
  std::vector<std::unique_ptr<Caller>> kept;
  for (int i = 0; i < 32; ++i) {
    kept.push_back(std::make_unique<Caller>(f));
    CHECK(kept.back()->ask(get("/")).status == 200);
  }
  CHECK(Caller{f}.ask(get("/")).status == 503);
}

TEST_CASE("server: limits that a reload raises hold for the next connection") {
  ServerFixture f;
  f.settings.max_connections = 1;
  f.server.set_limits(f.settings);
  Caller first{f};
  CHECK(Caller{f}.ask(get("/")).status == 503);
  CHECK(metric(f, "grantd_connections_limit") == 1);
  f.settings.max_connections = 2;
  f.server.set_limits(f.settings);
  CHECK(metric(f, "grantd_connections_limit") == 2);
  CHECK(Caller{f}.ask(get("/")).status == 200);
}

TEST_CASE("server: refused callers that linger hold nobody up") {
  ServerFixture f;
  f.settings.max_connections = 1;
  f.server.set_limits(f.settings);
  Caller served{f};
  std::vector<std::unique_ptr<Caller>> refused;
  for (int i = 0; i < 200; ++i) refused.push_back(std::make_unique<Caller>(f));
  CHECK(f.server.connection_count() <= 1 + 64);
  CHECK(served.ask(get("/")).status == 200);
  for (auto& caller : refused) CHECK(caller->receive().status == 503);
  f.advance(3s);
  CHECK(f.until([&] { return f.server.connection_count() == 1; }));
}

TEST_CASE("server: when descriptors run out callers are told, and served again as soon as there are some") {
  ServerFixture f;
  Caller served{f};
  std::vector<common::UniqueFd> callers;
  for (int i = 0; i < 3; ++i) callers.emplace_back(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  Caller* refused = nullptr;
  std::unique_ptr<Caller> holder;
  rlimit before{};
  REQUIRE(::getrlimit(RLIMIT_NOFILE, &before) == 0);
  {
    // All but one descriptor are taken; that one is the next caller's own.
    rlimit low = before;
    low.rlim_cur = 256;
    REQUIRE(::setrlimit(RLIMIT_NOFILE, &low) == 0);
    std::vector<common::UniqueFd> filler;
    while (true) {
      common::UniqueFd one{::open("/dev/null", O_RDONLY | O_CLOEXEC)};
      if (!one) break;
      filler.push_back(std::move(one));
    }
    filler.pop_back();
    holder = std::make_unique<Caller>(f);
    refused = holder.get();
    CHECK(refused->receive().status == 503);
    CHECK(served.ask(get("/")).status == 200);
    ::setrlimit(RLIMIT_NOFILE, &before);
  }
  CHECK(f.log.has("event=out_of_descriptors"));
  CHECK(Caller{f}.ask(get("/")).status == 200);
}

TEST_CASE("server: a stop closes what is idle, lets what is in flight finish and accepts nothing more") {
  ServerFixture f;
  Signal gate;
  f.handler.answer = [&](Exchange& exchange) -> awaitable<void> {
    co_await gate.wait();
    LocalResponse response{.body = exchange.request().keep_alive ? "kept" : "last"};
    co_await exchange.respond(std::move(response));
  };
  Caller idle{f};
  Caller busy{f};
  busy.send(get("/"));
  bool stopped = false;
  f.server.stop(10s, [&] { stopped = true; });
  CHECK(idle.is_closed());
  CHECK_FALSE(stopped);
  const common::UniqueFd late{::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)};
  gate.notify();
  const Answer answer = busy.receive();
  CHECK(answer.body == "last");
  CHECK(answer.has("Connection: close\r\n"));
  CHECK(busy.is_closed());
  CHECK(f.until([&] { return stopped; }));
}

TEST_CASE("server: a stop breaks off what does not end in time, and tells the handler") {
  ServerFixture f;
  bool gone = false;
  f.handler.answer = [&](Exchange& exchange) -> awaitable<void> {
    exchange.on_caller_gone([&] { gone = true; });
    bool open = true;
    while (open) {
      const auto piece = co_await exchange.read_body();
      open = piece.has_value();
    }
  };
  Caller stuck{f};
  stuck.send(post("/", "body").substr(0, 57));
  bool stopped = false;
  f.server.stop(10s, [&] { stopped = true; });
  f.advance(9s);
  CHECK_FALSE(stopped);
  f.advance(1s);
  CHECK(stopped);
  CHECK(gone);
  CHECK(stuck.is_closed());
  CHECK(f.until([&] { return f.server.connection_count() == 0; }));
}

TEST_CASE("server: a request that arrives just before a stop is answered") {
  ServerFixture f;
  Caller caller{f};
  CHECK(caller.ask(get("/")).status == 200);
  Caller other{f};
  bool stopped = false;
  f.handler.answer = [&](Exchange& exchange) {
    f.server.stop(10s, [&] { stopped = true; });
    return exchange.respond({.body = "stopping"});
  };
  caller.send(get("/"));
  CHECK(caller.receive().has("Connection: close\r\n"));
  CHECK(f.until([&] { return stopped; }));
}

TEST_CASE("server: sessions that outlive it in the loop's hands are torn down without harm") {
  auto f = std::make_unique<ServerFixture>();
  auto never = std::make_shared<Signal>();
  const std::weak_ptr watched = never;
  bool handled = false;
  // Kept by the fixture's handler, which goes after the server and before the loop.
  f->handler.answer = [kept = std::move(never), &handled](Exchange& exchange) -> awaitable<void> {
    exchange.on_caller_gone([] {});
    handled = true;
    co_await kept->wait();
  };
  Caller caller{*f};
  caller.send(get("/"));
  REQUIRE(handled);
  REQUIRE(f->server.connection_count() == 1);
  f.reset();
  CHECK(watched.expired());
}

TEST_CASE("server: the metrics address takes 16 connections at once") {
  ServerFixture f;
  auto listening = listen_on_tcp("127.0.0.1", 0);
  REQUIRE(listening);
  sockaddr_storage address{};
  socklen_t size = sizeof address;
  REQUIRE(::getsockname(listening->get(), reinterpret_cast<sockaddr*>(&address), &size) == 0);
  f.server.add_metrics_socket(std::move(*listening), f.handler);
  std::vector<common::UniqueFd> callers;
  std::vector<int> statuses;
  const std::string request = get("/metrics");
  for (int i = 0; i < 17; ++i) {
    const int fd = callers.emplace_back(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)).get();
    REQUIRE(::connect(fd, reinterpret_cast<const sockaddr*>(&address), size) == 0);
    REQUIRE(::send(fd, request.data(), request.size(), MSG_NOSIGNAL) > 0);
    char answer[4096];
    REQUIRE(f.until([&] { return ::recv(fd, answer, sizeof answer, MSG_DONTWAIT) > 12; }));
    statuses.push_back((answer[9] - '0') * 100 + (answer[10] - '0') * 10 + (answer[11] - '0'));
  }
  CHECK(std::ranges::count(statuses, 200) == 16);
  CHECK(statuses.back() == 503);
  CHECK(metric(f, "grantd_connections") == 0);
}

}  // namespace
}  // namespace grantd::tests
