// What the proxy remembers of a request for the next one like it.
#include <doctest/doctest.h>

#include <vector>

#include "tests/unit/proxy/proxy_fixture.hpp"

namespace grantd::tests {

TEST_CASE("proxy: a request like the one before it is sent by what holds now") {
  std::vector<std::string> received;
  ScriptedApi api{[&](BlockingSocket& connection, int) {
    for (std::string request = connection.read_message(); !request.empty();
         request = connection.read_message()) {
      received.push_back(request);
      connection.send("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    }
  }};
  {
    ProxyFixture fixture{api.port()};
    BlockingSocket caller = fixture.caller();
    const auto ask = [&](const std::string& request) {
      caller.send(request);
      return caller.read_message();
    };
    const std::string request = "GET /a HTTP/1.1\r\nHost: invoices\r\nX-Own: 1\r\n\r\n";
    for (int i = 0; i < 2; ++i) CHECK(has(ask(request), "HTTP/1.1 200 OK\r\n"));
    fixture.reload([](auto& settings) { settings.headers = {{"X-Fixed", "yes"}}; });
    for (int i = 0; i < 2; ++i) CHECK(has(ask(request), "HTTP/1.1 200 OK\r\n"));
    CHECK(has(ask("GET /b HTTP/1.1\r\nHost: invoices\r\n\r\n"), "HTTP/1.1 200 OK\r\n"));
    fixture.reload([](auto& settings) { settings.access.users.emplace(); });
    CHECK(has(ask(request), "Grantd-Error: access_denied\r\n"));
  }
  REQUIRE(received.size() == 5);
  CHECK(received[0] == received[1]);
  CHECK(has(received[0], "GET /base/a HTTP/1.1\r\n"));
  CHECK(has(received[0], "X-Own: 1\r\nAuthorization: Bearer token-1\r\n"));
  CHECK(has(received[2], "X-Own: 1\r\nX-Fixed: yes\r\nAuthorization: Bearer token-1\r\n"));
  CHECK(received[2] == received[3]);
  CHECK(has(received[4], "GET /base/b HTTP/1.1\r\n"));
  CHECK_FALSE(has(received[4], "X-Own"));
}

}  // namespace grantd::tests
