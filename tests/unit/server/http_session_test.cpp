#include <doctest/doctest.h>

#include "daemon/loop/signal.hpp"
#include "tests/unit/server/server_fixture.hpp"

namespace grantd::tests {
namespace {

using namespace std::chrono_literals;

/// A handler that gives back what it was sent.
awaitable<void> echo(Exchange& exchange) {
  std::string body;
  while (!exchange.body_complete()) {
    const auto piece = co_await exchange.read_body();
    if (!piece) {
      co_await exchange.respond(problem_response(piece.error()));
      co_return;
    }
    body.append(piece->data(), piece->size());
  }
  LocalResponse response{.body = std::move(body)};
  co_await exchange.respond(std::move(response));
}

TEST_CASE("session: requests of one connection are answered one after the other") {
  ServerFixture f;
  f.handler.answer = [](Exchange& exchange) -> awaitable<void> {
    return exchange.respond({.body = std::string{exchange.request().target}});
  };
  Caller caller{f};
  for (int i = 0; i < 3; ++i) {
    const Answer answer = caller.ask(get("/" + std::to_string(i)));
    CHECK(answer.status == 200);
    CHECK(answer.body == "/" + std::to_string(i));
    CHECK(answer.has("Content-Type: application/json\r\n"));
    CHECK_FALSE(answer.has("Connection:"));
  }
  caller.send(get("/a") + get("/b") + "\r\n" + get("/c"));
  CHECK(caller.receive().body == "/a");
  CHECK(caller.receive().body == "/b");
  CHECK(caller.receive().body == "/c");
}

TEST_CASE("session: a request that arrives byte by byte is served") {
  ServerFixture f;
  f.handler.answer = echo;
  Caller caller{f};
  for (const char byte : post("/", "body")) caller.send({&byte, 1});
  CHECK(caller.receive().body == "body");
}

TEST_CASE("session: HEAD is answered with the head alone") {
  ServerFixture f;
  Caller caller{f};
  caller.send("HEAD / HTTP/1.1\r\nHost: localhost\r\n\r\n" + get("/"));
  CHECK(caller.receive(true).has("Content-Length: 5\r\n"));
  CHECK(caller.receive().body == "hello");
}

TEST_CASE("session: a response without a body has neither type nor length") {
  ServerFixture f;
  f.handler.answer = [](Exchange& exchange) { return exchange.respond({.status = 204, .content_type = {}}); };
  Caller caller{f};
  caller.send(get("/"));
  CHECK(caller.receive().head == "HTTP/1.1 204 No Content\r\n\r\n");
}

TEST_CASE("session: the connection is closed when the caller says so or speaks HTTP/1.0") {
  ServerFixture f;
  for (const auto& request : {get("/", "Connection: close\r\n"), std::string{"GET / HTTP/1.0\r\n\r\n"}}) {
    Caller caller{f};
    CHECK(caller.ask(request).has("Connection: close\r\n"));
    CHECK(caller.is_closed());
  }
  Caller kept{f};
  const std::string request = "GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n";
  CHECK(kept.ask(request).has("Connection: keep-alive\r\n"));
  CHECK(kept.ask(request).status == 200);
}

TEST_CASE("session: a malformed request gets 400 and nothing behind it is served") {
  ServerFixture f;
  Caller caller{f};
  const Answer answer = caller.ask("GET / HTTP/1.1\r\nHost : x\r\n\r\n" + get("/"));
  CHECK(answer.status == 400);
  CHECK(answer.has("Connection: close\r\n"));
  CHECK(answer.has("Content-Type: application/problem+json\r\n"));
  CHECK(answer.body.find("\"code\":\"invalid_request\"") != std::string::npos);
  CHECK(caller.is_closed());
}

TEST_CASE("session: an answer is read even while the caller is still sending") {
  ServerFixture f;
  Caller caller{f};
  caller.send("nonsense\r\n\r\n" + std::string(100'000, 'x'));
  CHECK(caller.receive().status == 400);
}

TEST_CASE("session: a head of 32 KiB is served and a larger one gets 431") {
  ServerFixture f;
  const std::string start = "GET / HTTP/1.1\r\nHost: localhost\r\nX: ";
  const std::size_t most = 32 * 1024 - start.size() - 4;
  Caller fits{f};
  CHECK(fits.ask(start + std::string(most, 'x') + "\r\n\r\n").status == 200);
  CHECK(fits.ask(get("/")).status == 200);
  Caller exceeds{f};
  CHECK(exceeds.ask(start + std::string(most + 1, 'x') + "\r\n\r\n").status == 431);
  Caller endless{f};
  CHECK(endless.ask(start + std::string(40'000, 'x')).status == 431);
}

TEST_CASE("session: bodies are read whatever their framing and pieces") {
  ServerFixture f;
  f.handler.answer = echo;
  Caller caller{f};
  CHECK(caller.ask(post("/", "a small body")).body == "a small body");
  const std::string large(300'000, 'y');
  CHECK(caller.ask(post("/", large)).body == large);
  caller.send("POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel");
  caller.send("lo\r\n6\r\n wor");
  caller.send("ld\r\n0\r\n\r\n" + get("/next") + post("/", "last"));
  CHECK(caller.receive().body == "hello world");
  CHECK(caller.receive().body.empty());
  CHECK(caller.receive().body == "last");
}

TEST_CASE("session: broken framing of a body is the caller's error and ends the connection") {
  ServerFixture f;
  f.handler.answer = echo;
  Caller caller{f};
  const Answer answer = caller.ask(
      "POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n5;x\r\nhello\r\n0\r\n\r\n" +
      get("/"));
  CHECK(answer.status == 400);
  CHECK(caller.is_closed());
}

TEST_CASE("session: 100 Continue is sent when the body is wanted and only then") {
  ServerFixture f;
  f.handler.answer = echo;
  const std::string head =
      "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n";
  Caller caller{f};
  caller.send(head);
  CHECK(caller.receive().status == 100);
  CHECK(caller.ask("body").body == "body");
  CHECK(caller.ask(head + "body").body == "body");  // it did not wait

  f.handler.answer = [](Exchange& exchange) { return exchange.respond({.status = 403}); };
  const Answer refused = caller.ask(head);
  CHECK(refused.status == 403);
  CHECK(refused.has("Connection: close\r\n"));
}

TEST_CASE("session: a small unread body is drained and a large one ends the connection") {
  ServerFixture f;
  Caller small{f};
  CHECK(small.ask(post("/", std::string(2000, 'z')) + get("/")).status == 200);
  CHECK(small.receive().status == 200);
  Caller large{f};
  const Answer answer = large.ask(post("/", std::string(200'000, 'z')));
  CHECK(answer.status == 200);
  CHECK(answer.has("Connection: close\r\n"));
}

TEST_CASE("session: an idle connection is closed without a word after its timeout") {
  ServerFixture f;
  Caller caller{f};
  CHECK(caller.ask(get("/")).status == 200);
  f.advance(59s);
  CHECK(caller.ask(get("/")).status == 200);
  f.advance(61s);
  CHECK(caller.is_closed());
}

TEST_CASE("session: a head that is not complete within 10 s gets 408, however it drips") {
  ServerFixture f;
  Caller caller{f};
  caller.send("GET / HT");
  for (int i = 0; i < 9; ++i) {
    f.advance(1s);
    caller.send("T");
  }
  CHECK(caller.received.empty());
  f.advance(1s);
  const Answer answer = caller.receive();
  CHECK(answer.status == 408);
  CHECK(answer.body.find("request_timeout") != std::string::npos);
  CHECK(caller.is_closed());
}

TEST_CASE("session: a body that is silent for 60 s gets 408, and each byte counts as a sign of life") {
  ServerFixture f;
  f.handler.answer = echo;
  Caller caller{f};
  caller.send("POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\nab");
  f.advance(59s);
  caller.send("c");
  f.advance(59s);
  CHECK(f.server.connection_count() == 1);
  f.advance(1s);
  CHECK(caller.receive().status == 408);
  CHECK(caller.is_closed());
}

TEST_CASE("session: a caller that does not read for 60 s is dropped, one that reads slowly is not") {
  ServerFixture f;
  bool written = true;
  f.handler.answer = [&](Exchange& exchange) -> awaitable<void> {
    const std::string body(4'000'000, 'b');
    const asio::const_buffer piece = asio::buffer(body);
    written = co_await exchange.write({&piece, 1});
  };
  Caller caller{f};
  caller.send(get("/"));
  f.advance(59s);
  caller.read_some();
  f.settle();
  f.advance(59s);
  CHECK(f.server.connection_count() == 1);
  f.advance(2s);
  CHECK(f.until([&] { return f.server.connection_count() == 0; }));
  CHECK_FALSE(written);
}

TEST_CASE("session: a response larger than the socket takes arrives whole") {
  ServerFixture f;
  const std::string large(3'000'000, 'w');
  f.handler.answer = [&](Exchange& exchange) { return exchange.respond({.body = large}); };
  Caller caller{f};
  caller.send(get("/") + get("/"));
  CHECK(caller.receive().body == large);
  CHECK(caller.receive().body == large);
}

TEST_CASE("session: a handler may frame its own response and is believed only when it finishes") {
  ServerFixture f;
  bool finish = true;
  f.handler.answer = [&](Exchange& exchange) -> awaitable<void> {
    const std::string_view text = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
    const asio::const_buffer piece{text.data(), text.size()};
    const bool written = co_await exchange.write({&piece, 1});
    if (written && finish) exchange.finish_response(true);
  };
  Caller caller{f};
  CHECK(caller.ask(get("/")).body == "ok");
  finish = false;
  CHECK(caller.ask(get("/")).body == "ok");
  CHECK(caller.is_closed());
}

TEST_CASE("session: a caller that is gone is noticed while its request is handled") {
  for (const bool with_pending_bytes : {false, true}) {
    CAPTURE(with_pending_bytes);
    ServerFixture f;
    Signal gate;
    int gone = 0;
    f.handler.answer = [&](Exchange& exchange) -> awaitable<void> {
      exchange.on_caller_gone([&] {
        ++gone;
        gate.notify();
      });
      co_await gate.wait();
      co_await echo(exchange);
    };
    Caller caller{f};
    caller.send(get("/"));
    if (with_pending_bytes) caller.send(get("/second") + std::string(5000, 'p'));
    caller.shut_down_sending();
    CHECK(gone == 0);
    caller.close();
    f.advance(std::chrono::milliseconds{20});
    CHECK(f.until([&] { return gone == 1; }));
    CHECK(f.until([&] { return f.server.connection_count() == 0; }));
    CHECK(gone == 1);
  }
}

TEST_CASE(
    "session: a caller gone before anybody asked is noticed as well, and a replaced action never runs") {
  ServerFixture f;
  Signal start;
  Signal gate;
  bool first = false;
  bool second = false;
  f.handler.answer = [&](Exchange& exchange) -> awaitable<void> {
    co_await start.wait();
    exchange.on_caller_gone([&] { first = true; });
    exchange.on_caller_gone([&] {
      second = true;
      gate.notify();
    });
    co_await gate.wait();
  };
  Caller caller{f};
  caller.send(get("/"));
  caller.close();
  f.settle();
  start.notify();
  f.settle();
  f.advance(std::chrono::milliseconds{20});
  CHECK(f.until([&] { return f.server.connection_count() == 0; }));
  CHECK_FALSE(first);
  CHECK(second);
}

TEST_CASE("session: a caller that has shut down its sending side still gets its answer") {
  ServerFixture f;
  Signal gate;
  f.handler.answer = [&](Exchange& exchange) -> awaitable<void> {
    exchange.on_caller_gone([] { FAIL_CHECK("it is not gone"); });
    co_await gate.wait();
    co_await echo(exchange);
  };
  Caller caller{f};
  caller.send(get("/"));
  caller.shut_down_sending();
  gate.notify();
  CHECK(caller.receive().status == 200);
  CHECK(caller.is_closed());
}

TEST_CASE("session: a handler that throws costs its request a 500 and the daemon a log line") {
  ServerFixture f;
  f.handler.answer = [](Exchange& exchange) -> awaitable<void> {
    const auto ignored = co_await exchange.read_body();
    throw std::runtime_error(ignored ? "out of cheese" : "no body");
  };
  Caller caller{f};
  const Answer answer = caller.ask(get("/x?secret=1"));
  CHECK(answer.status == 500);
  CHECK(answer.body.find("cheese") == std::string::npos);
  CHECK(caller.is_closed());
  CHECK(f.log.has("event=internal_error what=\"out of cheese\" method=GET path=/x"));
  CHECK_FALSE(f.log.has("secret"));
}

TEST_CASE("session: callers that vanish at any point leave nothing behind") {
  ServerFixture f;
  f.handler.answer = echo;
  for (const auto& bytes : {std::string{}, std::string{"G"}, get("/").substr(0, 30),
                            post("/", "body").substr(0, 57), get("/") + get("/") + get("/")}) {
    Caller caller{f};
    caller.send(bytes);
    caller.close();
  }
  CHECK(f.until([&] { return f.server.connection_count() == 0; }));
}

}  // namespace
}  // namespace grantd::tests
