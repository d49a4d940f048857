// The proxy towards APIs with TLS: who is trusted, and what the records do to bodies and their ends.
#include <doctest/doctest.h>

#include "tests/unit/proxy/proxy_fixture.hpp"
#include "tests/unit/proxy/tls_api.hpp"

namespace grantd::tests {
namespace {

std::function<void(config::ApiSettings&)> secured(std::optional<std::filesystem::path> ca_file,
                                                  std::string host = "127.0.0.1") {
  return [ca_file, host](config::ApiSettings& settings) {
    settings.base_url.tls = true;
    settings.base_url.host = host;
    settings.tls.ca_file = ca_file;
  };
}

}  // namespace

TEST_CASE("proxy with TLS: a request passes, and the next one uses the same connection") {
  const TestCertificate certificate{"IP:127.0.0.1"};
  std::string protocol;
  ScriptedApi api{[&](BlockingSocket& socket, int) {
    TlsApiConnection connection{certificate, socket.fd()};
    protocol = connection.protocol();
    while (has(connection.read_message(), "Authorization: Bearer token-1\r\n")) connection.send(ok);
  }};
  {
    ProxyFixture fixture{api.port(), secured(certificate.file())};
    CHECK(fixture.call(get) == ok);
    CHECK(fixture.call(get) == ok);
    CHECK(api.connections() == 1);
  }
  CHECK(protocol == "http/1.1");
}

TEST_CASE("proxy with TLS: later connections resume the session") {
  const TestCertificate certificate{"IP:127.0.0.1"};
  std::atomic<int> resumed = 0;
  ScriptedApi api{[&](BlockingSocket& socket, int) {
    TlsApiConnection connection{certificate, socket.fd()};
    if (connection.resumed()) ++resumed;
    connection.read_message();
    connection.send("HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
    connection.send_close();
  }};
  ProxyFixture fixture{api.port(), secured(certificate.file())};
  for (int i = 0; i < 4; ++i) CHECK(has(fixture.call(get), "200 OK"));
  CHECK(api.connections() == 4);
  CHECK(resumed == 3);
}

TEST_CASE("proxy with TLS: a name is sent as SNI and checked against the certificate") {
  const TestCertificate certificate{"DNS:localhost"};
  std::string server_name;
  ScriptedApi api{[&](BlockingSocket& socket, int) {
    TlsApiConnection connection{certificate, socket.fd()};
    server_name = connection.server_name();
    connection.read_message();
    connection.send(ok);
  }};
  {
    ProxyFixture fixture{api.port(), secured(certificate.file(), "localhost")};
    CHECK(fixture.call(get) == ok);
  }
  CHECK(server_name == "localhost");
}

TEST_CASE("proxy with TLS: a certificate of another name or another authority gets no request") {
  const TestCertificate other_name{"DNS:elsewhere.example"};
  const TestCertificate other_authority{"IP:127.0.0.1"};
  for (const auto& trusted : {std::optional{other_name.file()}, std::optional{other_authority.file()},
                              std::optional<std::filesystem::path>{}}) {
    std::atomic<bool> got_request = false;
    ScriptedApi api{[&](BlockingSocket& socket, int) {
      TlsApiConnection connection{other_name, socket.fd()};
      got_request = !connection.read_message().empty();
    }};
    ProxyFixture fixture{api.port(), secured(trusted)};
    const auto answer = fixture.call(get);
    CHECK(has(answer, "Grantd-Error: api_unreachable\r\n"));
    CHECK(has(answer, "certificate is not accepted"));
    CHECK_FALSE(got_request);
  }
}

TEST_CASE("proxy with TLS: a CA file that cannot be read is named") {
  ScriptedApi api{[](BlockingSocket&, int) {}};
  ProxyFixture fixture{api.port(), secured("/nonexistent/ca.pem")};
  const auto answer = fixture.call(get);
  CHECK(has(answer, "Grantd-Error: api_unreachable\r\n"));
  CHECK(has(answer, "tls_ca_file /nonexistent/ca.pem"));
  CHECK(api.connections() == 0);
}

TEST_CASE("proxy with TLS: a server that does not speak it is unreachable") {
  ScriptedApi api{[](BlockingSocket& socket, int) {
    socket.send("HTTP/1.1 400 Bad Request\r\n\r\n");
    socket.sees_close();
  }};
  ProxyFixture fixture{api.port(), secured({})};
  CHECK(has(fixture.call(get), "Grantd-Error: api_unreachable\r\n"));
}

TEST_CASE("proxy with TLS: a server that never finishes the handshake runs into the connect timeout") {
  ScriptedApi api{[](BlockingSocket& socket, int) { socket.read_to_end(); }};
  ProxyFixture fixture{api.port(), [](auto& settings) {
                         secured({})(settings);
                         settings.connect_timeout = std::chrono::milliseconds{50};
                       }};
  CHECK(has(fixture.call(get), "Grantd-Error: api_timeout\r\n"));
}

TEST_CASE("proxy with TLS: only the goodbye ends a body that has no length") {
  const TestCertificate certificate{"IP:127.0.0.1"};
  for (const bool polite : {true, false}) {
    ScriptedApi api{[&](BlockingSocket& socket, int) {
      TlsApiConnection connection{certificate, socket.fd()};
      connection.read_message();
      connection.send("HTTP/1.1 200 OK\r\n\r\nbody");
      if (polite) connection.send_close();
    }};
    ProxyFixture fixture{api.port(), secured(certificate.file())};
    auto caller = fixture.caller();
    caller.send("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    CHECK(caller.read_to_end().ends_with("0\r\n\r\n") == polite);
  }
}

TEST_CASE("proxy with TLS: many megabytes pass unharmed in both directions") {
  const NoSigpipe guard;
  const TestCertificate certificate{"IP:127.0.0.1"};
  std::string body(10'000'000, 0);
  for (std::size_t i = 0; i < body.size(); ++i) body[i] = static_cast<char>(i * 31 % 251);
  std::string received;
  ScriptedApi api{[&](BlockingSocket& socket, int) {
    TlsApiConnection connection{certificate, socket.fd()};
    received = connection.read_message();
    connection.send("HTTP/1.1 200 OK\r\nContent-Length: 10000000\r\n\r\n");
    connection.send(body);
    connection.read_message();
  }};
  {
    ProxyFixture fixture{api.port(), secured(certificate.file())};
    auto caller = fixture.caller();
    caller.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10000000\r\n\r\n");
    caller.send(body);
    CHECK(has(caller.read_head(), "200 OK"));
    CHECK(caller.read(body.size()) == body);
  }
  CHECK(received.ends_with(body));
}

}  // namespace grantd::tests
