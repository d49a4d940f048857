#include <doctest/doctest.h>

#include <optional>
#include <string>

#include "grantd/client.hpp"
#include "tests/unit/client_lib/scripted_daemon.hpp"

using namespace grantd;
using tests::answering;
using tests::code_of;
using tests::error_of;
using tests::problem_answer;
using tests::ReceivedRequest;
using tests::token_answer;

namespace {

struct Fixture {
  explicit Fixture(tests::ScriptedDaemon::Script script) : daemon(directory / "socket", std::move(script)) {}

  tests::TemporaryDirectory directory;
  tests::ScriptedDaemon daemon;
  Client client{ClientOptions{.socket = directory / "socket", .timeout = std::chrono::seconds{10}}};
};

// What a daemon that answers a request for a token with exactly these bytes, and then closes, is taken for.
std::string code_for(const std::string& bytes) {
  Fixture f([&](tests::Peer& peer) {
    peer.read();
    peer.send(bytes);
  });
  return code_of([&] { f.client.get_access_token("c"); });
}

}  // namespace

TEST_CASE("client: gives the daemon's token") {
  Fixture f(answering([](const ReceivedRequest& request) {
    CHECK(request.method() == "GET");
    CHECK(request.target() == "/v1/tokens/catalog.client/page");
    CHECK(request.has("Host: localhost"));
    return token_answer();
  }));
  const Token token = f.client.get_access_token("catalog.client");
  CHECK(token.value() == "secret-token");
  CHECK(token.type() == "Bearer");
  CHECK(token.scope() == "catalog read");
  CHECK(token.version() == "v1");
  CHECK(token.expires_at() ==
        std::chrono::sys_days{std::chrono::year{2030} / 1 / 31} + std::chrono::hours{12});
}

TEST_CASE("client: wishes travel as JSON") {
  Fixture f(answering([](const ReceivedRequest& request) {
    CHECK(request.method() == "POST");
    CHECK(request.has("Content-Type: application/json"));
    CHECK(request.body == R"({"scope":"a","min_valid":30})");
    return token_answer();
  }));
  f.client.get_access_token("c", {.scope = "a", .min_valid = std::chrono::seconds{30}});
}

TEST_CASE("client: every error of the daemon keeps its code") {
  for (const auto& [code, status] : {std::pair{"invalid_request", 400},
                                     {"access_denied", 403},
                                     {"unknown_client", 404},
                                     {"unknown_api", 404},
                                     {"not_found", 404},
                                     {"method_not_allowed", 405},
                                     {"request_timeout", 408},
                                     {"payload_too_large", 413},
                                     {"headers_too_large", 431},
                                     {"invalid_configuration", 422},
                                     {"too_many_requests", 429},
                                     {"internal_error", 500},
                                     {"upgrade_not_supported", 501},
                                     {"token_request_rejected", 502},
                                     {"invalid_token_response", 502},
                                     {"api_unreachable", 502},
                                     {"authorization_server_unavailable", 503},
                                     {"client_unavailable", 503},
                                     {"too_many_connections", 503},
                                     {"token_request_timeout", 504},
                                     {"api_timeout", 504},
                                     {"a_code_of_tomorrow", 418}}) {
    Fixture f(answering([&](const ReceivedRequest&) { return problem_answer(status, code); }));
    const auto error = error_of([&] { f.client.get_access_token("c"); });
    REQUIRE(error);
    CHECK(error->code() == code);
    CHECK(error->http_status() == status);
  }
}

TEST_CASE("client: an error tells who refused, why, and when to come back") {
  Fixture f(answering([](const ReceivedRequest&) {
    return problem_answer(
        502, "token_request_rejected",
        R"(,"client":"c","oauth_error":"invalid_scope","oauth_error_description":"no \u001b[2J",)"
        R"("retry_after":7)");
  }));
  const auto error = error_of([&] { f.client.get_access_token("c"); });
  REQUIRE(error);
  CHECK(error->oauth_error() == "invalid_scope");
  CHECK(error->oauth_error_description() == "no \x1b[2J");
  CHECK(error->retry_after() == std::chrono::seconds{7});
  CHECK(std::string{error->what()} == "c: what went wrong: invalid_scope, no  [2J");
}

TEST_CASE("client: garbage in place of an answer is an error, never a crash") {
  CHECK(code_for("SSH-2.0-OpenSSH_9.2\r\n\r\n") == "daemon_unreachable");
  CHECK(code_for(std::string(100'000, '\0')) == "daemon_unreachable");
  CHECK(code_for("HTTP/1.1 200 OK\r\nContent-Le") == "daemon_unreachable");
  CHECK(code_for("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{\"access_token\":") == "daemon_unreachable");
  CHECK(code_for(tests::http_answer(200, "{\"access_token\":\"x\"}")) == "daemon_unreachable");
  CHECK(code_for(tests::http_answer(200, "not json")) == "daemon_unreachable");
  CHECK(code_for(tests::http_answer(200, std::string(17 << 20, 'x'))) == "daemon_unreachable");
  CHECK(code_for(tests::http_answer(500, "<html>")) == "internal_error");
  CHECK(code_for(tests::http_answer(500, R"({"code":"\r\nX"})")) == "internal_error");
  CHECK(code_for(tests::http_answer(302, "", "Location: /\r\n")) == "internal_error");
}

TEST_CASE("client: the token stands in no error message") {
  Fixture f(answering([](const ReceivedRequest&) {
    return tests::http_answer(200, R"({"access_token":"top-secret","token_type":"Bearer"})");
  }));
  const auto error = error_of([&] { f.client.get_access_token("c"); });
  REQUIRE(error);
  CHECK(std::string{error->what()}.find("top-secret") == std::string::npos);
}

TEST_CASE("client: without a daemon the error says so at once, and names the socket") {
  const tests::TemporaryDirectory directory;
  const Client client{ClientOptions{.socket = directory / "nobody"}};
  const auto error = error_of([&] { client.get_access_token("c"); });
  REQUIRE(error);
  CHECK(error->code() == "daemon_unreachable");
  CHECK(error->http_status() == 0);
  CHECK(std::string{error->what()}.find("nobody") != std::string::npos);
}

TEST_CASE("client: what cannot be asked is refused before anything is sent") {
  CHECK(code_of([] { Client{ClientOptions{.socket = std::string(108, 'x')}}; }) == "invalid_request");
  CHECK(code_of([] { Client{ClientOptions{.timeout = std::chrono::seconds{0}}}; }) == "invalid_request");
  Fixture f(answering([](const ReceivedRequest&) { return token_answer(); }));
  for (const std::string& name : {std::string{}, std::string{".."}, std::string{"a/b"}, std::string{"a\r\nb"},
                                  std::string{"a b"}, std::string(129, 'x')}) {
    CAPTURE(name);
    CHECK(code_of([&] { f.client.get_access_token(name); }) == "invalid_request");
    CHECK(code_of([&] { f.client.http(name); }) == "invalid_request");
  }
  CHECK(f.daemon.connections() == 0);
}

TEST_CASE("client: the socket's path comes from the environment where none is given") {
  Fixture f(answering([](const ReceivedRequest&) { return token_answer(); }));
  REQUIRE(::setenv("GRANTD_SOCKET", (f.directory / "socket").c_str(), 1) == 0);
  const Client client;
  REQUIRE(::unsetenv("GRANTD_SOCKET") == 0);
  CHECK(client.get_access_token("c").value() == "secret-token");
}

TEST_CASE("client: evicts all tokens of a definition, or one") {
  std::string target;
  Fixture f(answering([&](const ReceivedRequest& request) -> std::string {
    CHECK(request.method() == "DELETE");
    target = request.target();
    return "HTTP/1.1 204 No Content\r\n\r\n";
  }));
  f.client.evict("c");
  CHECK(target == "/v1/tokens/c");
  f.client.evict("c", {.scope = "a b", .resource = {"urn:x", "urn:y"}, .audience = "&"});
  CHECK(target == "/v1/tokens/c?scope=a%20b&resource=urn%3Ax&resource=urn%3Ay&audience=%26");
}

TEST_CASE("client: asks for DPoP proofs by the token's version, never with the token") {
  Fixture f(answering([](const ReceivedRequest& request) {
    CHECK(request.target() == "/v1/dpop/c");
    CHECK(request.body == R"({"method":"GET","url":"https://api/x","version":"v1","nonce":"n"})");
    return tests::http_answer(200, R"({"dpop":"proof"})");
  }));
  const Token token{Token::Parts{.value = "t", .version = "v1"}};
  CHECK(f.client.dpop_proof("c", "GET", "https://api/x", token, "n") == "proof");
}

TEST_CASE("with_token: a 401 renews the token and sends once more") {
  int asked = 0;
  Fixture f(answering([&](const ReceivedRequest& request) {
    if (++asked == 1) return token_answer("first", "v1");
    CHECK(request.body == R"({"scope":"a","rejected":"v1"})");
    return token_answer("second", "v2");
  }));
  std::string sent;
  const int status = f.client.with_token("c",
                                         [&](const Token& token) {
                                           sent += std::string{token.value()} + " ";
                                           return 401;
                                         },
                                         {.scope = "a"});
  CHECK(status == 401);
  CHECK(sent == "first second ");
}

TEST_CASE("with_token: an answer other than 401 is sent once, whatever type it has") {
  int asked = 0;
  Fixture f(answering([&](const ReceivedRequest&) {
    ++asked;
    return token_answer();
  }));
  CHECK(f.client.with_token("c", [](const Token&) { return Response{.status = 403}; }).status == 403);
  CHECK(asked == 1);
}

TEST_CASE("with_token: the same token again is not sent again") {
  Fixture f(answering([](const ReceivedRequest&) { return token_answer("same", "v1"); }));
  int sent = 0;
  f.client.with_token("c", [&](const Token&) {
    ++sent;
    return Response{.status = 401};
  });
  CHECK(sent == 1);
}
