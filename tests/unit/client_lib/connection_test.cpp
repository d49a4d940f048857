#include <doctest/doctest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <thread>
#include <vector>

#include "grantd/client.hpp"
#include "tests/unit/client_lib/scripted_daemon.hpp"

using namespace grantd;
using tests::answering;
using tests::code_of;
using tests::Peer;
using tests::ReceivedRequest;
using tests::ScriptedDaemon;
using tests::token_answer;
using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

namespace {

const auto tokens = answering([](const ReceivedRequest&) { return token_answer(); });

Client client_of(const tests::TemporaryDirectory& directory,
                 milliseconds timeout = std::chrono::seconds{10}) {
  return Client{ClientOptions{.socket = directory / "socket", .timeout = timeout}};
}

}  // namespace

TEST_CASE("client connections: one after another they are the same") {
  const tests::TemporaryDirectory directory;
  ScriptedDaemon daemon(directory / "socket", tokens);
  const Client client = client_of(directory);
  for (int i = 0; i < 20; ++i) client.get_access_token("c");
  CHECK(daemon.connections() == 1);
}

TEST_CASE("client connections: one that the daemon will close is not used again") {
  const tests::TemporaryDirectory directory;
  ScriptedDaemon daemon(directory / "socket", answering([](const ReceivedRequest&) {
                          return "HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n";
                        }));
  const Client client = client_of(directory);
  client.evict("c");
  client.evict("c");
  CHECK(daemon.connections() == 2);
}

TEST_CASE("client connections: bytes that nobody asked for spoil a connection") {
  const tests::TemporaryDirectory directory;
  std::atomic<int> played = 0;
  ScriptedDaemon daemon(directory / "socket", [&](Peer& peer) {
    const bool first = played++ == 0;
    while (peer.read()) peer.send(first ? token_answer("a") + token_answer("smuggled") : token_answer("b"));
  });
  const Client client = client_of(directory);
  CHECK(client.get_access_token("c").value() == "a");
  CHECK(client.get_access_token("c").value() == "b");
}

TEST_CASE("client connections: a daemon that restarts is reconnected to") {
  const tests::TemporaryDirectory directory;
  auto daemon = std::make_unique<ScriptedDaemon>(directory / "socket", tokens);
  const Client client = client_of(directory);
  client.get_access_token("c");
  daemon.reset();
  daemon = std::make_unique<ScriptedDaemon>(directory / "socket", tokens);
  CHECK(client.get_access_token("c").value() == "secret-token");
  CHECK(client.http("a").post("x", "body").status == 200);
}

TEST_CASE("client connections: a daemon that was there is waited for, for a moment") {
  const tests::TemporaryDirectory directory;
  auto daemon = std::make_unique<ScriptedDaemon>(directory / "socket", tokens);
  const Client client = client_of(directory);
  client.get_access_token("c");
  daemon.reset();
  std::atomic<bool> asking = false;
  std::thread restart([&] {
    asking.wait(false);
    daemon = std::make_unique<ScriptedDaemon>(directory / "socket", tokens);
  });
  asking = true;
  asking.notify_one();
  CHECK(client.get_access_token("c").value() == "secret-token");
  restart.join();
  daemon.reset();
  const auto start = Clock::now();
  CHECK(code_of([&] { client.get_access_token("c"); }) == "daemon_unreachable");
  CHECK(Clock::now() - start >= milliseconds{1500});
  const auto again = Clock::now();
  CHECK(code_of([&] { client.get_access_token("c"); }) == "daemon_unreachable");
  CHECK(Clock::now() - again < milliseconds{1000});
}

TEST_CASE(
    "client connections: what may be done twice is sent again when a connection breaks, a POST is not") {
  const tests::TemporaryDirectory directory;
  std::atomic<int> requests = 0;
  // Every second request is read and then dropped without an answer.
  ScriptedDaemon daemon(directory / "socket", [&](Peer& peer) {
    while (peer.read()) {
      if (++requests % 2 == 0) return;
      peer.send(token_answer());
    }
  });
  const Client client = client_of(directory);
  client.get_access_token("c");
  CHECK(client.get_access_token("c").value() == "secret-token");
  CHECK(requests == 3);
  CHECK(code_of([&] { client.http("a").post("x", "pay"); }) == "daemon_unreachable");
  CHECK(requests == 4);
  client.get_access_token("c");
  CHECK(client.http("a").get("x").status == 200);
  CHECK(client.http("a").del("x").status == 200);
}

TEST_CASE("client connections: a daemon that drops everything ends in an error, not in a loop") {
  const tests::TemporaryDirectory directory;
  std::atomic<bool> dropping = false;
  ScriptedDaemon daemon(directory / "socket", [&](Peer& peer) {
    while (peer.read() && !dropping) peer.send(token_answer());
  });
  const Client client = client_of(directory, milliseconds{600});
  client.get_access_token("c");
  dropping = true;
  CHECK(code_of([&] { client.get_access_token("c"); }) == "daemon_unreachable");
}

TEST_CASE("client timeout: a silent daemon is waited for no longer") {
  const tests::TemporaryDirectory directory;
  ScriptedDaemon daemon(directory / "socket", [](Peer& peer) {
    peer.read();
    peer.wait_until_closed();
  });
  const Client client = client_of(directory, milliseconds{100});
  const auto start = Clock::now();
  CHECK(code_of([&] { client.get_access_token("c"); }) == "timeout");
  CHECK(Clock::now() - start >= milliseconds{100});
  CHECK(Clock::now() - start < std::chrono::seconds{5});
}

TEST_CASE("client stop token: ends a waiting call promptly") {
  const tests::TemporaryDirectory directory;
  std::atomic<int> asked = 0;
  ScriptedDaemon daemon(directory / "socket", [&](Peer& peer) {
    peer.read();
    ++asked;
    asked.notify_all();
    peer.wait_until_closed();
  });
  const Client client = client_of(directory);
  auto shortest = Clock::duration::max();  // the machine may be busy with other things
  for (int i = 0; i < 3; ++i) {
    std::stop_source stop;
    Clock::time_point requested;
    std::thread stopper([&] {
      asked.wait(i);
      requested = Clock::now();
      stop.request_stop();
    });
    CHECK(code_of([&] { client.get_access_token("c", {}, stop.get_token()); }) == "cancelled");
    const auto ended = Clock::now();
    stopper.join();
    shortest = std::min(shortest, ended - requested);
  }
  CHECK(shortest < milliseconds{100});
}

TEST_CASE("client stop token: a call that was stopped before it began asks nothing") {
  const tests::TemporaryDirectory directory;
  ScriptedDaemon daemon(directory / "socket", tokens);
  std::stop_source stop;
  stop.request_stop();
  CHECK(code_of([&] { client_of(directory).http("a").get("x", stop.get_token()); }) == "cancelled");
  CHECK(daemon.connections() == 0);
}

TEST_CASE("client threads: many share one client") {
  const tests::TemporaryDirectory directory;
  ScriptedDaemon daemon(directory / "socket", answering([](const ReceivedRequest& request) {
                          // "/v1/tokens/NAME/page"
                          const std::string target = request.target();
                          return token_answer(target.substr(11, target.rfind('/') - 11));
                        }));
  const Client client = client_of(directory);
  std::atomic<int> right = 0;
  std::vector<std::thread> threads;
  for (int i = 0; i < 8; ++i) {
    threads.emplace_back([&, name = "client-" + std::to_string(i)] {
      for (int call = 0; call < 1000; ++call) right += client.get_access_token(name).value() == name ? 1 : 0;
    });
  }
  for (std::thread& thread : threads) thread.join();
  CHECK(right == 8000);
  // A thread may look at a slot in the moment in which its connection is moved; but they are shared.
  CHECK(daemon.connections() <= 32);
}

TEST_CASE("client fork: a child has connections of its own and leaves its parent's alone") {
  const tests::TemporaryDirectory directory;
  ScriptedDaemon daemon(directory / "socket", tokens);
  auto client = std::make_unique<Client>(client_of(directory));
  client->get_access_token("c");
  const pid_t child = ::fork();
  if (child == 0) {
    int status = 1;
    try {
      status = client->get_access_token("c").value() == "secret-token" ? 0 : 2;
      client->get_access_token("c");
      client.reset();
    } catch (...) {
      status = 3;
    }
    ::_exit(status);
  }
  int status = -1;
  REQUIRE(::waitpid(child, &status, 0) == child);
  CHECK(WIFEXITED(status));
  CHECK(WEXITSTATUS(status) == 0);
  CHECK(daemon.connections() == 2);
  client->get_access_token("c");
  CHECK(daemon.connections() == 2);
}

TEST_CASE("client signals: a daemon that goes away while it is written to raises none") {
  ::signal(SIGPIPE, SIG_DFL);
  const tests::TemporaryDirectory directory;
  ScriptedDaemon daemon(directory / "socket", [](Peer& peer) { peer.read_some(1); });
  const Client client = client_of(directory);
  CHECK(code_of([&] { client.http("a").post("x", std::string(10'000'000, 'x')); }) == "daemon_unreachable");
}
